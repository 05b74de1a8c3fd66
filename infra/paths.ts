import { join } from 'node:path';

/** The folder that holds Pulumi.yaml: files named in the configuration are relative to it. */
export const PROJECT_FOLDER = join(__dirname, '..');

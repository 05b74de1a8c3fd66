/** The site agent's process as one file: it is started again a hundred times. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const REPOSITORY = resolve(__dirname, '../../../..');

/** Answers the bundle's path. */
export function bundleSiteProcess(): string {
  const folder = join(REPOSITORY, 'dist');
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `data-drill-site-${process.pid}.js`);
  const entry = join(__dirname, 'site-process.ts');
  execFileSync(join(REPOSITORY, 'node_modules/.bin/esbuild'), [
    entry,
    ...['--bundle', '--platform=node', '--target=node20', '--format=cjs', '--log-level=warning'],
    `--outfile=${outfile}`,
  ]);
  return outfile;
}

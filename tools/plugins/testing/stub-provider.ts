/** A provider for tests that takes every resource as it is given; its name is that of its executable. */
import path from 'node:path';
import type { ResourceType } from '../protocol/provider';
import { serve } from '../protocol/server';

/** Outputs are the inputs, so that a preview knows nothing else. */
const anything: ResourceType = {
  check: (inputs) => ({ inputs, failures: [] }),
  diff: () => [],
  create: async (inputs, { name }) => ({ id: name, outputs: inputs }),
  previewCreate: (inputs) => inputs,
  update: async ({ inputs }) => inputs,
  previewUpdate: ({ inputs }) => inputs,
  delete: async () => undefined,
};

serve(
  {
    name: path.basename(process.argv[1] ?? '').replace('pulumi-resource-', ''),
    version: '1000.0.0', // as new as any SDK asks for
    acceptSecrets: true,
    resources: new Proxy({}, { get: () => anything }),
  },
  process.argv.slice(2),
).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});

/** Puts the emulated plugin where the engine finds it, for one run: in a folder of its own that goes first on PATH. */
import path from 'node:path';
import { cp } from 'node:fs/promises';
import { ensureMoto, type Moto } from '../../artifacts/moto';
import { ensureArtifact } from '../../cache';
import { buildPlugin, sourceHash } from '../build';

/** Environment, added to the engine's, in which `aws` is the emulator. Nothing of it outlives the run. */
export async function emulatedAwsEnvironment(
  { endpoint }: Pick<Moto, 'endpoint'>,
  env: NodeJS.ProcessEnv,
): Promise<NodeJS.ProcessEnv> {
  const folder = await ensureArtifact(
    `aws-emulated-${await sourceHash('aws')}`,
    'building the emulated aws plugin',
    async (target) => {
      await buildPlugin('aws', target);
      await cp(path.join(__dirname, 'bridge.py'), path.join(target, 'bridge.py'));
    },
  );
  return {
    ...env,
    PATH: `${folder}${path.delimiter}${env['PATH'] ?? ''}`,
    AWS_EMULATOR_PYTHON: await ensureMoto(),
    AWS_EMULATOR_BRIDGE: path.join(folder, 'bridge.py'),
    AWS_EMULATOR_ENDPOINT: endpoint,
  };
}

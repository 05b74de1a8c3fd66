/** Puts the emulated plugin where the engine finds it, for one run: in a folder of its own that goes first on PATH. */
import path from 'node:path';
import { ensureArtifact } from '../../cache';
import { buildPlugin, sourceHash } from '../build';

/** Environment, added to the engine's, in which `cloudflare` is the emulated plugin. Nothing of it outlives the run. */
export async function emulatedCloudflareEnvironment(env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const folder = await ensureArtifact(
    `cloudflare-emulated-${await sourceHash('cloudflare')}`,
    'building the emulated cloudflare plugin',
    (target) => buildPlugin('cloudflare', target),
  );
  return { ...env, PATH: `${folder}${path.delimiter}${env['PATH'] ?? ''}` };
}

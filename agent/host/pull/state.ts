import { z } from 'zod';
import { AppliedState } from '../../../infra/contract/desired-state';
import { PULL_STATE_PATH, STATE_DIRECTORY } from '../paths';
import type { HostPort } from '../port';

/** What the last apply that worked made of this server; written after it, so that a kill before repeats the apply. */
const PullState = AppliedState.pick({ secretVersions: true }).extend({
  bundle: z.string(),
  spec: z.string(),
  appliedAt: z.iso.datetime(),
  secretsCheckedAt: z.iso.datetime(),
});
export type PullState = z.output<typeof PullState>;

/** Null also for a file that cannot be read: then everything is applied once more, which changes nothing that is right. */
export async function readPullState(host: HostPort): Promise<PullState | null> {
  const content = await host.readFile(PULL_STATE_PATH);
  if (content === null) return null;
  try {
    return PullState.parse(JSON.parse(content.toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null;
    throw error;
  }
}

export async function writePullState(host: HostPort, state: PullState): Promise<void> {
  await host.makeDirectory(STATE_DIRECTORY);
  await host.writeFile(PULL_STATE_PATH, Buffer.from(`${JSON.stringify(state, null, 1)}\n`), 0o600);
}

import { z } from 'zod';
import { AGENT_PORT } from '../../../infra/contract/agent-api';
import { firstKey } from '../../shared/key-lines';
import type { Converger } from '../converge';
import { ModelOrderError } from '../errors';

/** The part of the agent's status that the order of a roll-out hangs on. */
const Status = z.object({
  site: z.string(),
  lease: z.object({ holder: z.string() }).nullable(),
  peer: z.object({ health: z.string(), modelSha256: z.string().nullish() }),
});
export type RolloutStatus = z.output<typeof Status>;

/** Why the holder may not change its weights yet; null when it may. A site that does not hold the lease always may. */
export function orderProblem(status: RolloutStatus, wanted: string): string | null {
  const { site, lease, peer } = status;
  if (lease === null) return `${site} does not know who holds the lease`;
  if (lease.holder !== site) return null;
  if (peer.health !== 'healthy') return `${site} holds the lease and its peer is ${peer.health}`;
  if (peer.modelSha256 === wanted) return null;
  return `${site} holds the lease and its peer does not serve ${wanted.slice(0, 12)} yet`;
}

/**
 * A new version goes to the standby first: there it loads, answers as it should and can take over, before the site that all
 * traffic goes to depends on it.
 */
export async function refuseBeforePeer(converger: Converger, served: string, wanted: string): Promise<void> {
  const problem = orderProblem(await askAgent(converger), wanted);
  if (problem === null) return;
  throw new ModelOrderError(
    `the weights stay ${served} for now: ${problem}. Deploy the new version to the standby first; then switch to it with ` +
      '`failover switch`, or apply here again. With no standby to come, set modelRolloutOrder to any',
  );
}

async function askAgent(converger: Converger): Promise<RolloutStatus> {
  const key = firstKey(await converger.credential('operator-key'));
  let problem: string;
  try {
    const { status, body } = await converger.host.http(`http://127.0.0.1:${AGENT_PORT}/status`, {
      headers: { authorization: `Bearer ${key}` },
      timeoutSeconds: 5,
    });
    const parsed = Status.safeParse(status === 200 ? JSON.parse(body) : null);
    if (parsed.success) return parsed.data;
    problem = `it answers ${status}`;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  throw new ModelOrderError(
    `whether this site may change its weights is the agent's to say, and it does not (${problem}): ` +
      'see `systemctl status failover-agent`, then apply again; or set modelRolloutOrder to any',
  );
}

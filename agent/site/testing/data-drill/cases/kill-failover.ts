/** kill -9 of the standby's agent while it takes the lease over from a holder that is gone. */
import type { DataCase } from '../data-case';
import { HIT_SECONDS } from './timing';

const STEPS = ['event/claim-decided', 'lease/claim', 'lease/claim-written', 'event/claimed'];

export const KILL_FAILOVER: readonly DataCase[] = STEPS.map((step) => ({
  name: `kill -9 in failover: ${step}`,
  group: 'failover',
  expected: ['took over'],
  run: async ({ world, holder, count }) => {
    const { to, missing } = await world.failOver(holder, {
      meanwhile: async (standby) => {
        await standby.agent.arm({ step, nth: 1, action: 'kill' });
        await standby.promote();
        await standby.agent.killedAt(step, HIT_SECONDS);
      },
    });
    count(`at ${to.name}, promoted`, missing);
    await holder.agent.up();
    return { step, outcome: 'took over' };
  },
}));

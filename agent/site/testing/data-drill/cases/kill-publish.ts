/** kill -9 of the holder's agent at every step of a publish: the publish before it stays whole until the new one is. */
import { PUBLISH_STEPS } from '../../../snapshots/publish';
import type { DataCase } from '../data-case';
import { HIT_SECONDS } from './timing';

export const KILL_PUBLISH: readonly DataCase[] = PUBLISH_STEPS.map((name): DataCase => {
  const step = `publish/${name}`;
  return {
    name: `kill -9 in publish: ${name}`,
    group: 'publish',
    expected: ['previous publish stays', 'new publish is whole'],
    run: async ({ world, holder, standby, count }) => {
      const before = world.latestId();
      await holder.agent.arm({ step, nth: 1, action: 'kill' });
      await world.publish(holder);
      await holder.agent.killedAt(step, HIT_SECONDS);
      const moved = world.latestId() !== before;
      // Whatever the pointer names now has to be whole.
      await world.applied(standby, world.latestId() ?? '');
      count(`at ${standby.name} from what was left`, await world.missing(standby));
      return { step, outcome: moved ? 'new publish is whole' : 'previous publish stays' };
    },
  };
});

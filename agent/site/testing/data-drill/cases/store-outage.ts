/** The store goes away in the middle of things, and comes back. What was published before stays good all the while. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer } from '../ask';
import type { CaseContext, DataCase, Happened } from '../data-case';
import { HIT_SECONDS } from './timing';

const OUTAGE_MS = 6_000;
const THROUGH = 'went through';

interface Outage {
  readonly how: 'away' | 'silent';
  readonly operation: 'publish' | 'apply';
  readonly step: string;
  readonly expected: readonly string[];
}

const GONE = 'SNAPSHOT_STORE_UNREACHABLE';

const OUTAGES: readonly Outage[] = [
  { how: 'away', operation: 'publish', step: 'publish/started', expected: [GONE] },
  { how: 'away', operation: 'publish', step: 'publish/snapshots-cut', expected: [GONE, THROUGH] },
  { how: 'away', operation: 'publish', step: 'publish/manifest-stored', expected: [GONE] },
  { how: 'silent', operation: 'publish', step: 'publish/snapshots-cut', expected: [GONE, THROUGH] },
  { how: 'away', operation: 'apply', step: 'apply/started', expected: [GONE] },
  { how: 'away', operation: 'apply', step: 'apply/manifest-read', expected: [GONE, THROUGH] },
  { how: 'away', operation: 'apply', step: 'apply/staged', expected: [THROUGH] },
  { how: 'silent', operation: 'apply', step: 'apply/manifest-read', expected: [GONE, THROUGH] },
];

export const STORE_OUTAGE: readonly DataCase[] = [
  ...OUTAGES.map((outage): DataCase => ({
    name: `store ${outage.how} from ${outage.step} on, for at most ${OUTAGE_MS / 1000} s`,
    group: 'store',
    expected: outage.expected,
    run: (drill) => duringOutage(drill, outage),
  })),
  {
    name: 'store and holder lost together',
    group: 'store',
    expected: ['took over'],
    run: async ({ world, holder, count }) => {
      const { to, missing } = await world.failOver(holder, {
        lose: () => Promise.all([holder.agent.down(), world.store.kill()]).then(() => undefined),
      });
      count(`at ${to.name}, promoted`, missing);
      await world.store.launch();
      await holder.agent.up();
      return { step: 'store and holder killed', outcome: 'took over' };
    },
  },
];

async function duringOutage(drill: CaseContext, { how, operation, step }: Outage): Promise<Happened> {
  const { world, holder, standby, count } = drill;
  const { store } = world;
  if (operation === 'apply') await world.published(holder);
  const site = operation === 'publish' ? holder : standby;
  await site.agent.arm({ step, nth: 1, action: 'hold' });
  const working = operation === 'publish' ? world.publish(site) : site.apply();
  await site.agent.holdsAt(step, HIT_SECONDS);
  if (how === 'away') await store.kill();
  else store.signal('SIGSTOP');
  await site.agent.release();
  await Promise.race([working, delay(OUTAGE_MS)]);
  count(`at ${standby.name}, without the store`, await world.missing(standby));
  if (how === 'away') await store.launch();
  else store.signal('SIGCONT');
  return { step, outcome: outcomeOf(await working) };
}

function outcomeOf({ code }: Answer): string {
  return code === 'ok' ? THROUGH : code;
}

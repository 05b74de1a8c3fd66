/**
 * kill -9 of the old holder's agent at every step of its re-protection, then failback to it. What it alone had is set
 * aside, once and whole; what the new holder acknowledged is at both sites in the end.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPLY_STEPS } from '../../../snapshots/apply';
import type { DataCase } from '../data-case';
import { isClients, type DrillSite } from '../drill-site';
import { insist } from '../insist';
import { HIT_SECONDS } from './timing';

const STEPS = [
  'event/state:fenced → re-protecting',
  ...APPLY_STEPS.map((step) => `apply/${step}`),
  'event/state:re-protecting → standby',
];
const WRITES = 8;
const WRITE_SECONDS = 60;

export const KILL_REPROTECT: readonly DataCase[] = STEPS.map((step) => ({
  name: `kill -9 in re-protection, then failback: ${step}`,
  group: 're-protect',
  expected: ['failed back'],
  run: async ({ world, holder: old, count }) => {
    const { to, missing } = await world.failOver(old);
    count(`at ${to.name}, promoted`, missing);
    const own = await pointsAt(old);
    await world.writer.more(WRITES, WRITE_SECONDS);
    await world.published(to);
    await old.agent.up();
    await insist(`${old.name} is fenced`, async () => {
      const state = (await old.status())?.state ?? 'no answer';
      return state === 'fenced' ? null : state;
    });
    await old.agent.arm({ step, nth: 1, action: 'kill' });
    await old.reprotect();
    await old.agent.killedAt(step, HIT_SECONDS);
    await world.reprotected(old);
    count(`at ${old.name}, re-protected`, await world.missing(old));
    const kept = pointsSetAside(old);
    if (kept !== own) throw new Error(`${old.name} had ${own} points of its own and set ${kept} aside`);
    await world.switched(to);
    count(`at ${old.name}, after the failback`, await world.missingOfAll(old));
    return { step, outcome: 'failed back' };
  },
}));

async function pointsAt(site: DrillSite): Promise<number> {
  return [...(await site.observe()).values()].reduce((sum, points) => sum + points.length, 0);
}

/** Of clients' collections in the newest set; 0 when there is none. */
function pointsSetAside(site: DrillSite): number {
  const folder = site.ledger()?.setAside.at(-1)?.folder;
  if (folder === undefined) return 0;
  const contents = JSON.parse(readFileSync(join(folder, 'contents.json'), 'utf8')) as {
    collections: { name: string; points: number }[];
  };
  return contents.collections
    .filter(({ name }) => isClients(name))
    .reduce((sum, { points }) => sum + points, 0);
}

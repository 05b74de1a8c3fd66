/** One case: from a replicated world through the fault to a replicated world again, with every point looked for. */
import { messageOf } from '../../errors';
import type { CaseResult, DataCase, Happened } from './data-case';
import type { DrillSite } from './drill-site';
import type { DrillWorld } from './drill-world';
import type { Difference } from './write-record';

const SHOWN = 5;
const EVENTS_TOLD = 40;
/** Written between the last publish and the fault, so that there is something to lose. */
const FRESH_WRITES = 8;
const WRITE_SECONDS = 60;

export async function runCase(world: DrillWorld, drilled: DataCase): Promise<CaseResult> {
  const began = Date.now();
  const problems: string[] = [];
  let pointsLost = 0;
  let happened: Happened = { step: '–', outcome: '–' };
  const count = (what: string, { lost, foreign }: Difference): void => {
    pointsLost += lost.length;
    if (lost.length > 0) problems.push(`${what}: ${lost.length} points lost: ${shown(lost)}`);
    if (foreign.length > 0) problems.push(`${what}: ${foreign.length} that nobody wrote: ${shown(foreign)}`);
  };
  try {
    const holder = await world.holder();
    await world.writer.more(FRESH_WRITES, WRITE_SECONDS);
    happened = await drilled.run({ world, holder, standby: world.other(holder), count });
    if (!drilled.expected.includes(happened.outcome)) {
      problems.push(`expected ${drilled.expected.join(' or ')}`);
    }
    await settle(world, count, problems);
  } catch (error) {
    problems.push(messageOf(error));
  }
  const { name, group } = drilled;
  const result = { name, group, ...happened, pointsLost, seconds: (Date.now() - began) / 1000, problems };
  if (problems.length === 0) return result;
  return { ...result, events: Object.values(world.sites).flatMap((site) => site.lastEvents(EVENTS_TOLD)) };
}

/** Everything acknowledged gets to both sites, and nothing of the fault is left behind. */
async function settle(
  world: DrillWorld,
  count: (what: string, difference: Difference) => void,
  problems: string[],
): Promise<void> {
  const { holder, standby, mark } = await world.replicate();
  await world.writer.pause();
  for (const site of [holder, standby]) {
    count(`at ${site.name} in the end`, world.record.compare(await site.observe(), mark));
  }
  const [shape, copy] = [await holder.shape(), await standby.shape()];
  if (shape !== copy) problems.push(`${standby.name} should be shaped ${shape} and is ${copy}`);
  problems.push(...(await leftBehind([holder, standby])));
  world.writer.start();
}

async function leftBehind(sites: readonly DrillSite[]): Promise<string[]> {
  const problems: string[] = [];
  for (const site of sites) {
    const snapshots = await site.leftovers();
    if (snapshots.length > 0) problems.push(`snapshots left in Qdrant: ${shown(snapshots)}`);
    const ledger = site.ledger();
    if (ledger?.publishing != null) problems.push(`${site.name} still believes that it is publishing`);
    if (ledger?.applying != null) problems.push(`${site.name} still believes that it is applying`);
  }
  return problems;
}

function shown(items: readonly string[]): string {
  return items.slice(0, SHOWN).join(', ') + (items.length > SHOWN ? ', …' : '');
}

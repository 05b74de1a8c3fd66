/**
 * A test of a restore is cut short, needed out of the way, or finds what is stored to be damaged. It never harms what the
 * standby holds, and leaves nothing.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RESTORE_TEST_STEPS, type RestoreTestStep } from '../../../snapshots/restore-test';
import type { CaseContext, DataCase, Happened } from '../data-case';
import type { DrillSite } from '../drill-site';
import { insist } from '../insist';
import { filesIn, flip } from './damage';
import { HIT_SECONDS } from './timing';

const MENDED = 'failed, as it must; mended by removing it and publishing';
const AGAIN = 'nothing left, passed again';

export const RESTORE_TEST: readonly DataCase[] = [
  ...RESTORE_TEST_STEPS.map((name): DataCase => ({
    name: `kill -9 in restore test: ${name}`,
    group: 'restore test',
    expected: [AGAIN],
    run: (drill) => killedIn(drill, name),
  })),
  {
    name: 'the holder is lost during a restore test',
    group: 'restore test',
    expected: ['broken off, took over'],
    run: takenOver,
  },
  {
    name: 'restore test of damaged parts',
    group: 'restore test',
    expected: [MENDED],
    run: ofDamagedParts,
  },
];

async function killedIn(
  { world, holder, standby, count }: CaseContext,
  name: RestoreTestStep,
): Promise<Happened> {
  const step = `restore-test/${name}`;
  await world.applied(standby, await world.published(holder));
  await standby.agent.arm({ step, nth: 1, action: 'kill' });
  await standby.testRestore();
  await standby.agent.killedAt(step, HIT_SECONDS);
  count(`at ${standby.name} after the restart`, await world.missing(standby));
  await untilClean(standby);
  return { step, outcome: (await passes(standby)) ? AGAIN : 'NOT PASSED AGAIN' };
}

/** Its collection is half made at that moment, and must neither delay the promotion nor be there after it. */
async function takenOver({ world, holder, standby, count }: CaseContext): Promise<Happened> {
  const step = 'restore-test/restored';
  await world.applied(standby, await world.published(holder));
  await standby.agent.arm({ step, nth: 1, action: 'hold' });
  const test = standby.testRestore();
  await standby.agent.holdsAt(step, HIT_SECONDS);
  const { to, missing } = await world.failOver(holder);
  count(`at ${to.name}, promoted`, missing);
  const { code } = await test;
  await standby.agent.release();
  await untilClean(to);
  await holder.agent.up();
  return { step, outcome: code === 'ok' ? 'NOT BROKEN OFF' : 'broken off, took over' };
}

/** Of both sites, for any publish of the history may be drawn. */
async function ofDamagedParts({ world, holder, standby, count }: CaseContext): Promise<Happened> {
  await world.applied(standby, await world.published(holder));
  const stored = [holder, standby]
    .map(({ name }) => world.storePath(name))
    .filter((path) => existsSync(path));
  for (const path of stored) for (const file of filesIn(join(path, 'restic', 'data'))) flip(file);
  const { body } = await standby.testRestore();
  count(`at ${standby.name}, after the test`, await world.missing(standby));
  // What a person does when that is what a test says of all that there is.
  for (const path of stored) rmSync(path, { recursive: true });
  await world.applied(standby, await world.published(holder));
  const outcome =
    body['result'] !== 'failed' ? 'NOT FAILED' : (await passes(standby)) ? MENDED : 'NOT MENDED';
  return { step: 'published, then damaged', outcome };
}

function untilClean(site: DrillSite): Promise<void> {
  return insist(`${site.name} has nothing left of the test`, async () =>
    (await site.hasScratch()) ? 'its collection is there' : null,
  );
}

/** Asked for until nothing else is under way. */
async function passes(site: DrillSite): Promise<boolean> {
  let result: unknown;
  await insist(`${site.name} has tested a restore`, async () => {
    const { code, message, body } = await site.testRestore();
    result = body['result'];
    return code === 'ok' ? null : `${code} ${message}`;
  });
  return result === 'passed';
}

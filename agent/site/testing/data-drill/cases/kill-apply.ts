/** kill -9 of the standby's agent at every step of an apply: it resumes, or takes the publish anew; the holder may be gone. */
import { APPLY_STEPS, type ApplyStep } from '../../../snapshots/apply';
import type { CaseContext, DataCase, Happened } from '../data-case';
import { HIT_SECONDS } from './timing';

/** Only a re-protection sets data aside. */
const STEPS: readonly ApplyStep[] = APPLY_STEPS.filter((step) => step !== 'set-aside');
/** From the mark to the last touch the standby's data are neither the old nor the new. */
const HALFWAY = STEPS.slice(STEPS.indexOf('marked'), STEPS.indexOf('recorded'));

const SAFE = 'not promotable meanwhile';
const OLD = 'old data until applied again';
const DONE = 'applied before the kill';

export const KILL_APPLY: readonly DataCase[] = STEPS.map((name) => ({
  name: `kill -9 in apply: ${name}`,
  group: 'apply',
  expected: expectedAt(name),
  run: (drill) => killedInApply(drill, name),
}));

export const KILL_APPLY_HOLDER_LOST: readonly DataCase[] = HALFWAY.map((name) => ({
  name: `kill -9 in apply, and the holder is lost: ${name}`,
  group: 'apply, holder lost',
  expected: ['resumed, then promoted'],
  run: async (drill) => {
    const { world, holder, standby, count } = drill;
    const step = `apply/${name}`;
    const id = await world.published(holder);
    await standby.agent.arm({ step, nth: 1, action: 'kill' });
    await standby.apply();
    await holder.agent.down();
    await standby.agent.killedAt(step, HIT_SECONDS);
    await world.applied(standby, id);
    const { missing } = await world.failOver(holder);
    count(`at ${standby.name}, promoted`, missing);
    await holder.agent.up();
    return { step, outcome: 'resumed, then promoted' };
  },
}));

async function killedInApply(
  { world, holder, standby, count }: CaseContext,
  name: ApplyStep,
): Promise<Happened> {
  const step = `apply/${name}`;
  const id = await world.published(holder);
  await standby.agent.arm({ step, nth: 1, action: 'kill' });
  await standby.apply();
  await standby.agent.killedAt(step, HIT_SECONDS);
  // In this order: once the mark is gone it stays away, and with it the reason not to be promotable.
  const status = await standby.status();
  const ledger = standby.ledger();
  let outcome = ledger?.applied?.id === id ? DONE : OLD;
  if (ledger?.applying != null) {
    outcome = status?.promotable.promotable === true ? 'PROMOTABLE WITH HALF OF A PUBLISH' : SAFE;
  } else {
    count(`at ${standby.name} after the restart`, await world.missing(standby));
  }
  await world.applied(standby, id);
  count(`at ${standby.name}, applied`, await world.missing(standby));
  return { step, outcome };
}

function expectedAt(name: ApplyStep): string[] {
  if (HALFWAY.includes(name)) return [SAFE, DONE];
  return STEPS.indexOf(name) < STEPS.indexOf('marked') ? [OLD] : [DONE];
}

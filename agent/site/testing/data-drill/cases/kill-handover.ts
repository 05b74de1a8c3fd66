/**
 * kill -9 at every step of a hand-over, of the holder and of its peer. Writes go on all the while: either the holder
 * stays, or the peer has every write that was acknowledged.
 */
import { HANDOVER_PHASES } from '../../../../lease';
import { APPLY_STEPS } from '../../../snapshots/apply';
import { PUBLISH_STEPS } from '../../../snapshots/publish';
import type { CaseContext, DataCase, Happened } from '../data-case';
import type { StepFault } from '../step-faults';
import { HIT_SECONDS } from './timing';

const STAYS = 'holder stays';
const OVER = 'handed over';
const FINAL_SYNC = 'event/switch-step:final-sync';

interface Kill {
  readonly fault: Pick<StepFault, 'step' | 'after'>;
  readonly expected: readonly string[];
}

const HOLDER_KILLS: readonly Kill[] = [
  ...HANDOVER_PHASES.map((phase) => ({ fault: { step: `event/switch-step:${phase}` }, expected: [STAYS] })),
  ...PUBLISH_STEPS.map((step) => ({
    fault: { step: `publish/${step}`, after: FINAL_SYNC },
    expected: [STAYS],
  })),
  { fault: { step: 'lease/handover' }, expected: [STAYS] },
  { fault: { step: 'lease/handover-written' }, expected: [OVER] },
  { fault: { step: 'event/handed-over' }, expected: [OVER] },
];

export const KILL_HANDOVER: readonly DataCase[] = [
  ...HOLDER_KILLS.map(({ fault, expected }): DataCase => ({
    name: `kill -9 of the holder in hand-over: ${fault.step}`,
    group: 'hand-over',
    expected,
    run: async (drill) => {
      const { agent } = drill.holder;
      await agent.arm({ ...fault, nth: 1, action: 'kill' });
      await drill.holder.switchOver();
      await agent.killedAt(fault.step, HIT_SECONDS);
      return outcome(drill, fault.step);
    },
  })),
  ...APPLY_STEPS.filter((step) => step !== 'set-aside').map((name): DataCase => ({
    name: `kill -9 of the peer in hand-over: apply/${name}`,
    group: 'hand-over',
    expected: [STAYS],
    run: async (drill) => {
      const { holder, standby } = drill;
      const step = `apply/${name}`;
      // The peer applies twice; the second is the one during which writes are held.
      const start = { step: 'publish/started', after: FINAL_SYNC };
      await holder.agent.arm({ ...start, nth: 1, action: 'hold' });
      const switching = holder.switchOver();
      await holder.agent.holdsAt(start.step, HIT_SECONDS);
      await standby.agent.arm({ step, nth: 1, action: 'kill' });
      await holder.agent.release();
      await standby.agent.killedAt(step, HIT_SECONDS);
      await switching;
      return outcome(drill, step);
    },
  })),
];

async function outcome({ world, holder, count }: CaseContext, step: string): Promise<Happened> {
  const now = await world.holder();
  count(`at ${now.name}, the holder`, await world.missingOfAll(now));
  return { step, outcome: now === holder ? STAYS : OVER };
}

/** Mode manual: somebody has to say so. The drill waits for a person, or plays one after a set time. */
import { RefusedError, SiteFailedError, UnreachableError, describe } from '../cli/errors';
import type { SitePort } from '../cli/site-client';
import type { DrillClock } from './clock';

const RETRY_MS = 1_000;

export interface Decision {
  /** The holder is there but unwell: it is asked to hand over. */
  readonly sick: boolean;
  readonly from: SitePort;
  readonly to: SitePort;
  readonly by: string;
  readonly reason: string;
  /** Null: a person does it. */
  readonly afterSeconds: number | null;
  readonly clock: DrillClock;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
}

/** What the person on call would type: a lost holder is promoted away from, a sick one is asked to hand over. */
function commandFor(sick: boolean, to: string): string {
  return sick ? 'failover switch --by … --reason …' : `failover promote --site ${to} --by … --reason …`;
}

/** Repeats the request until it is granted: a lease that has not run out yet refuses a promotion. */
async function decide(decision: Decision, afterSeconds: number): Promise<void> {
  const { clock, signal, from, to, by, reason } = decision;
  await clock.delay(afterSeconds * 1000, signal);
  for (;;) {
    try {
      if (decision.sick) await from.switch({ by, reason });
      else await to.promote({ by, reason });
      return;
    } catch (error) {
      const again =
        error instanceof RefusedError ||
        error instanceof UnreachableError ||
        error instanceof SiteFailedError;
      if (!again) throw new Error(`the switch could not be asked for: ${describe(error)}`, { cause: error });
    }
    await clock.delay(RETRY_MS, signal);
  }
}

/** Tells who is waited for, or asks in their place; never throws, since the drill's own limits end the waiting. */
export async function somebodyDecides(decision: Decision): Promise<void> {
  const { afterSeconds, onStep, signal } = decision;
  if (afterSeconds === null) {
    onStep(`waiting for a person, who would now type: ${commandFor(decision.sick, decision.to.site.site)}`);
    return;
  }
  onStep(`playing the person on call, ${afterSeconds} s from now`);
  try {
    await decide(decision, afterSeconds);
    onStep('the switch was asked for and granted');
  } catch (error) {
    if (!signal.aborted) onStep(describe(error));
  }
}

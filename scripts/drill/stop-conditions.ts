/** When a drill must stop and put the world back: a service that stays away, or two sites that both write. */
import { DrillAbortedError } from '../cli/errors';
import { doubleWrites } from './measure/writes';
import type { LeaseChange } from './record';
import type { Recorder } from './recorder';

export interface StopLimits {
  readonly maxOutageSeconds: number;
}

/** The reason to stop now, or null. */
export function reasonToStop(
  recorder: Recorder,
  leases: readonly LeaseChange[],
  limits: StopLimits,
  disturbedAt: number,
  now: number,
): DrillAbortedError | null {
  const doubles = doubleWrites(recorder.attempts, leases);
  const first = doubles[0];
  if (first !== undefined) {
    return new DrillAbortedError(
      `two sites acknowledged writes: ${first.site ?? 'a site'} acknowledged point ${first.pointId} under epoch ${first.epoch}, although ${first.because}`,
      {
        next: ["do not fail over again; keep the report and both servers' journals, this must never happen"],
      },
    );
  }
  const silence = recorder.longestSilence(disturbedAt, now);
  if (silence.seconds > limits.maxOutageSeconds) {
    return new DrillAbortedError(
      `${silence.client} has had no success for ${silence.seconds.toFixed(0)} s, over the limit of ${limits.maxOutageSeconds} s`,
      { next: ['look at `failover status`; the report shows which stage did not come'] },
    );
  }
  return null;
}

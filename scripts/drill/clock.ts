/** One clock for the whole drill: wall time that cannot jump, because it runs on the monotonic one from the start. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delayFor } from 'node:timers/promises';

export interface DrillClock {
  /** Milliseconds since 1970, never going back. */
  now(): number;
  /** Ends early, by throwing the signal's reason, when the signal is given. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export function systemClock(): DrillClock {
  const offset = Date.now() - performance.now();
  return {
    now: () => offset + performance.now(),
    delay: async (ms, signal) => {
      try {
        await delayFor(ms, undefined, signal === undefined ? {} : { signal });
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        throw error;
      }
    },
  };
}

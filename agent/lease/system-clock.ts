import { uptime } from 'node:os';
import type { Clock } from './ports';

/**
 * The machine's time since boot, which goes on while the machine is suspended and which setting the clock does not
 * move. `performance.now()` and `process.hrtime()` read CLOCK_MONOTONIC, which stands still during a suspension: a
 * virtual machine that is resumed after an hour would believe that its lease still runs. Resolution 10 ms.
 */
export function systemClock(): Clock {
  return {
    now: () => uptime() * 1000,
    wall: () => new Date().toISOString(),
    timer: (ms, callback) => {
      const handle = setTimeout(callback, ms);
      return () => clearTimeout(handle);
    },
  };
}

/** Repairs that are tried until they work: a unit that is being started has no process yet that could be woken. */
import type { DrillClock } from '../drill/clock';
import type { FaultPort } from '../drill/fault';

const REPAIRS = new Set(['revive', 'heal', 'cont-process', 'mend-unit', 'steady-port', 'store-mend']);
const PAUSE_MS = 1_000;

export class PatientFaults implements FaultPort {
  constructor(
    private readonly faults: FaultPort,
    private readonly clock: DrillClock,
    private readonly patienceMs = 60_000,
  ) {}

  async run(words: readonly string[], lastsSeconds?: number): Promise<void> {
    const until = REPAIRS.has(words[0] ?? '') ? this.clock.now() + this.patienceMs : 0;
    for (;;) {
      try {
        return await this.faults.run(words, lastsSeconds);
      } catch (error) {
        if (this.clock.now() >= until) throw error;
      }
      await this.clock.delay(PAUSE_MS);
    }
  }
}

/** Waiting, with one eye on the stop conditions and signals, and the other on telling the person what is going on. */
import type { DrillClock } from './clock';
import type { DnsWatcher, StatusWatcher } from './clients/watchers';
import type { Progress } from './progress';
import type { Marks } from './record';
import type { Recorder } from './recorder';
import { reasonToStop, type StopLimits } from './stop-conditions';

const POLL_MS = 200;
const STOP_CHECK_MS = 1_000;

export interface Watched {
  readonly clock: DrillClock;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly recorder: Recorder;
  readonly status: StatusWatcher;
  readonly dns: DnsWatcher;
  readonly marks: Marks;
  readonly limits: StopLimits;
}

export class Supervision {
  private lastCheck = 0;
  private waitingFor = '';

  constructor(private readonly watched: Watched) {}

  async waitUntil(what: string, condition: () => boolean): Promise<void> {
    this.waitingFor = what;
    for (;;) {
      this.check();
      if (condition()) return;
      await this.watched.clock.delay(POLL_MS, this.watched.signal);
    }
  }

  /** Waits for something that is under way; a stop condition ends the waiting, not the work. */
  async guard<T>(work: Promise<T>, what: string): Promise<T> {
    const outcome = work.then(
      (value) => ({ value }),
      (failure: unknown) => ({ failure }),
    );
    let done = false;
    void outcome.then(() => (done = true));
    await this.waitUntil(what, () => done);
    const result = await outcome;
    if ('failure' in result) throw result.failure;
    return result.value;
  }

  /** Throws when the drill must stop; shows how things stand otherwise. */
  private check(): void {
    const { clock, signal, recorder, status, marks, limits } = this.watched;
    signal.throwIfAborted();
    const now = clock.now();
    if (now - this.lastCheck < STOP_CHECK_MS) return;
    this.lastCheck = now;
    if (marks.faultStarted !== null) {
      const stop = reasonToStop(recorder, status.leases, limits, marks.faultStarted, now);
      if (stop !== null) throw stop;
    }
    this.tell(now);
  }

  private tell(now: number): void {
    const { recorder, status, dns, marks, progress } = this.watched;
    const { ok, errors } = recorder.totals();
    const since = marks.faultStarted === null ? '' : `+${((now - marks.faultStarted) / 1000).toFixed(0)} s  `;
    const lease = status.lease;
    const holder = lease === null ? '?' : `${lease.holder} #${lease.epoch}`;
    const unwell = recorder.unwell().map((each) => each.client);
    progress.tick(
      `${since}waiting for ${this.waitingFor}  lease ${holder}  DNS ${dns.describe()}  ${ok} ok ${errors} failed${
        unwell.length === 0 ? '' : `  not well: ${unwell.join(', ')}`
      }`,
    );
  }
}

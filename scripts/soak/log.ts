/** Keeps every write of every client, and counts the rest. */
import type { AttemptLog } from '../drill/clients/loop';
import type { Attempt } from '../drill/record';
import type { ClientCount } from './record';

export class SoakLog implements AttemptLog {
  readonly writes: Attempt[] = [];
  private readonly counted = new Map<string, { ok: number; failed: number }>();

  begin(): void {
    // A write that was begun is in the log once it is over; the loops wait for all of them before they end.
  }

  add(attempt: Attempt): void {
    if (attempt.pointId !== undefined) this.writes.push(attempt);
    const count = this.counted.get(attempt.client) ?? { ok: 0, failed: 0 };
    if (attempt.ok) count.ok += 1;
    else count.failed += 1;
    this.counted.set(attempt.client, count);
  }

  counts(): ClientCount[] {
    return [...this.counted].map(([client, count]) => ({ client, ...count }));
  }
}

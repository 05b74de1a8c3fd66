/** The store as the sites see it, and how it breaks its contract: errors, stale reads, writes that are forgotten. */
import type { Lease } from '../../../infra/contract/agent-api';
import type { MemoryLeaseStore } from '../memory-store';
import type { ReadResult, WriteResult } from '../model';
import type { Agenda } from './agenda';
import type { Random } from './random';

type Found = ReturnType<MemoryLeaseStore['readNow']>;

export class FaultyStore {
  private errorsUntil = 0;
  private stale = { until: 0, byMs: 0 };
  private loses = { until: 0, probability: 0 };
  private forgotten = 0;
  private readonly past: { readonly at: number; readonly found: Found }[] = [{ at: 0, found: 'absent' }];

  constructor(
    private readonly store: MemoryLeaseStore,
    private readonly agenda: Agenda,
    private readonly random: Random,
    /** The write itself, watched by the world. */
    private readonly put: (lease: Lease, ifMatch: string) => { etag: string } | 'conflict',
  ) {}

  /** Answers with errors; half of the writes are carried out all the same. */
  err(ms: number): void {
    this.errorsUntil = this.agenda.now + ms;
  }

  /** Reads show what the store held so long ago; conditions are judged by what it holds. */
  ageReads(ms: number, byMs: number): void {
    this.stale = { until: this.agenda.now + ms, byMs };
  }

  /** Acknowledges some writes and forgets them. */
  lose(ms: number, probability: number): void {
    this.loses = { until: this.agenda.now + ms, probability };
  }

  heal(): void {
    this.errorsUntil = 0;
    this.stale = { until: 0, byMs: 0 };
    this.loses = { until: 0, probability: 0 };
  }

  read(): ReadResult {
    const { now } = this.agenda;
    if (now < this.errorsUntil) return { kind: 'unreachable', detail: 'error 503' };
    const found = now < this.stale.until ? this.asOf(now - this.stale.byMs) : this.store.readNow();
    return found === 'absent' ? { kind: 'absent' } : { kind: 'lease', ...found };
  }

  write(lease: Lease, ifMatch: string): WriteResult {
    const { now } = this.agenda;
    const broken = now < this.errorsUntil;
    if (broken && this.random.chance(0.5)) return { kind: 'unknown', detail: 'error 503' };
    if (
      !broken &&
      now < this.loses.until &&
      this.accepts(ifMatch) &&
      this.random.chance(this.loses.probability)
    ) {
      this.forgotten += 1;
      return { kind: 'written', etag: `"forgotten-${this.forgotten}"` };
    }
    const result = this.put(lease, ifMatch);
    if (result !== 'conflict') this.past.push({ at: now, found: this.store.readNow() });
    if (broken) return { kind: 'unknown', detail: 'error 500' };
    return result === 'conflict' ? { kind: 'conflict' } : { kind: 'written', ...result };
  }

  private accepts(ifMatch: string): boolean {
    const found = this.store.readNow();
    return found !== 'absent' && found.etag === ifMatch;
  }

  private asOf(time: number): Found {
    return this.past.filter(({ at }) => at <= time).at(-1)?.found ?? 'absent';
  }
}

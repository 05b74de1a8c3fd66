/** A lease store in memory with the semantics of the real one; the simulation and tests use it. */
import type { Lease, LeaseHistoryEntry } from '../../infra/contract/agent-api';
import { decodeLease, encodeLease } from './lease-format';
import { ABSENT, type LeaseStore } from './ports';

export class MemoryLeaseStore implements LeaseStore {
  private body: string | null = null;
  private etag = '';
  private writes = 0;
  private readonly entries = new Map<number, LeaseHistoryEntry>();

  read(): Promise<{ lease: Lease; etag: string } | 'absent'> {
    return settle(() => this.readNow());
  }

  write(lease: Lease, ifMatch: string): Promise<{ etag: string } | 'conflict'> {
    return settle(() => this.writeNow(lease, ifMatch));
  }

  appendHistory(entry: LeaseHistoryEntry): Promise<void> {
    return settle(() => this.appendHistoryNow(entry));
  }

  history(): Promise<readonly LeaseHistoryEntry[]> {
    return settle(() => this.historyNow());
  }

  readNow(): { lease: Lease; etag: string } | 'absent' {
    return this.body === null ? 'absent' : { lease: decodeLease(this.body), etag: this.etag };
  }

  writeNow(lease: Lease, ifMatch: string): { etag: string } | 'conflict' {
    const current = this.body === null ? ABSENT : this.etag;
    if (current !== ifMatch) return 'conflict';
    return { etag: this.put(encodeLease(lease)) };
  }

  appendHistoryNow(entry: LeaseHistoryEntry): void {
    if (!this.entries.has(entry.epoch)) this.entries.set(entry.epoch, entry);
  }

  historyNow(): readonly LeaseHistoryEntry[] {
    return [...this.entries.values()].sort((a, b) => a.epoch - b.epoch);
  }

  /** Puts any text where the lease is, as a mistaken person could; null removes it. */
  put(body: string | null): string {
    this.writes += 1;
    this.body = body;
    this.etag = `"${this.writes}"`;
    return this.etag;
  }
}

async function settle<T>(action: () => T): Promise<T> {
  await Promise.resolve();
  return action();
}

/** A store in memory with the semantics of the real one; the simulation and tests use it. */
import { ABSENT } from './model';
import { decodeRecord, encodeRecord, type LeaderRecord } from './record';
import type { LeaderStore } from './store';

export class MemoryLeaderStore implements LeaderStore {
  private body: string | null = null;
  private writes = 0;

  read(): ReturnType<LeaderStore['read']> {
    return Promise.resolve(this.readNow());
  }

  write(record: LeaderRecord, ifMatch: string): ReturnType<LeaderStore['write']> {
    return Promise.resolve(this.writeNow(record, ifMatch));
  }

  readNow(): { record: LeaderRecord; etag: string } | 'absent' {
    return this.body === null
      ? ABSENT
      : { record: decodeRecord(this.body, 'the store in memory'), etag: this.etag };
  }

  writeNow(record: LeaderRecord, ifMatch: string): { etag: string } | 'conflict' {
    if ((this.body === null ? ABSENT : this.etag) !== ifMatch) return 'conflict';
    this.put(encodeRecord(record));
    return { etag: this.etag };
  }

  /** Puts any text there, as a mistaken person could; null removes it. */
  put(body: string | null): void {
    this.writes += 1;
    this.body = body;
  }

  close(): void {
    /* nothing is open */
  }

  private get etag(): string {
    return `"${this.writes}"`;
  }
}

/** A client that never stops writing, one request after another, to whichever site takes its writes. */
import type { Write, WriteRecord } from './write-record';
import { contentOf } from './write-record';

/** Sends one request to a site's gateway; true when it was acknowledged. */
export type SendWrite = (site: number, path: string, body: unknown) => Promise<boolean>;

/** The collections that it writes to; each holds points with ids from 1. */
export const WRITTEN = ['docs', 'notes'] as const;

const PAUSE_MS = 100;
const REFUSED_PAUSE_MS = 100;

export class Writer {
  private site = 0;
  private turn = 0;
  private running: Promise<void> | null = null;
  private stopping = false;
  private readonly newest = new Map<string, number>();
  private readonly versions = new Map<string, number>();
  acknowledged = 0;

  constructor(
    private readonly record: WriteRecord,
    private readonly send: SendWrite,
    private readonly sites: number,
  ) {}

  start(): void {
    if (this.running !== null) return;
    this.stopping = false;
    this.running = this.run();
  }

  /** Resolves when nothing of its is on the way any more. */
  async pause(): Promise<void> {
    this.stopping = true;
    await this.running;
    this.running = null;
  }

  /** Resolves once so many more have been acknowledged. */
  async more(count: number, seconds: number): Promise<void> {
    const until = this.acknowledged + count;
    const endsAt = Date.now() + seconds * 1000;
    while (this.acknowledged < until) {
      if (Date.now() > endsAt) throw new Error(`no site acknowledged ${count} writes within ${seconds} s`);
      await delay(10);
    }
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const writes = this.next();
      const acknowledge = this.record.attempt(writes);
      if (await this.send(this.site, ...request(writes))) {
        acknowledge();
        this.acknowledged += 1;
        await delay(PAUSE_MS);
      } else {
        this.site = (this.site + 1) % this.sites;
        await delay(REFUSED_PAUSE_MS);
      }
    }
  }

  /** Mostly new points; every fifth turn a newer version of an old one, every seventh a deletion. */
  private next(): Write[] {
    this.turn += 1;
    const collection = WRITTEN[this.turn % WRITTEN.length] ?? WRITTEN[0];
    const newest = this.newest.get(collection) ?? 0;
    if (newest > 20 && this.turn % 7 === 0) return [{ collection, id: newest - 5, version: null }];
    if (newest > 20 && this.turn % 5 === 0) return [this.versionOf(collection, newest - 12)];
    this.newest.set(collection, newest + 2);
    return [this.versionOf(collection, newest + 1), this.versionOf(collection, newest + 2)];
  }

  private versionOf(collection: string, id: number): Write {
    const key = `${collection}/${id}`;
    const version = (this.versions.get(key) ?? -1) + 1;
    this.versions.set(key, version);
    return { collection, id, version };
  }
}

function request(writes: readonly Write[]): [path: string, body: unknown] {
  const [{ collection } = { collection: '' }] = writes;
  const deleted = writes.filter(({ version }) => version === null).map(({ id }) => id);
  if (deleted.length > 0) return [`/collections/${collection}/points/delete?wait=true`, { points: deleted }];
  const points = writes.map(({ id, version }) => ({ id, ...contentOf(id, version ?? 0) }));
  return [`/collections/${collection}/points?wait=true`, { points }];
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

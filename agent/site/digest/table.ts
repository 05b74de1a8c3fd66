/**
 * What a collection held at each of the last publishes, as hashes: a chain of segments, the first of them full. One bucket
 * is in memory at a time. Both questions that only the past can answer are answered from it: what has changed since a
 * publish, and which ids of a bucket the publisher had.
 */
import { rm } from 'node:fs/promises';
import { BUCKETS, BucketSums } from './bucket-sums';
import type { IdKey, PointHash } from './point-hash';
import { sameHash } from './point-hash';
import {
  SegmentWriter,
  TableTornError,
  listSegments,
  readBucket,
  removeSegment,
  type Change,
  type SegmentHeader,
} from './segment';

/** Publishes that can be gone back to; twice as many segments are kept before the oldest are folded into one. */
export const PUBLISHES_KEPT = 16;

/** What is known anew of a collection, by bucket. */
export interface Update {
  /** True when the buckets hold every point, false when they hold what may have changed. */
  readonly whole: boolean;
  bucket(bucket: number): Promise<ReadonlyMap<IdKey, Change>>;
}

export class HashTable {
  private constructor(
    readonly folder: string,
    private segments: SegmentHeader[],
  ) {}

  /** A table that cannot be trusted is removed: an empty one is filled by the next whole reading. */
  static async open(folder: string): Promise<HashTable> {
    try {
      const segments = await listSegments(folder);
      if (segments.length > 0 && segments[0]?.full !== true)
        throw new TableTornError(`${folder} has no beginning.`);
      return new HashTable(folder, segments);
    } catch (error) {
      if (!(error instanceof TableTornError)) throw error;
      await rm(folder, { recursive: true, force: true });
      return new HashTable(folder, []);
    }
  }

  get isEmpty(): boolean {
    return this.segments.length === 0;
  }

  /** The newest publish that is in the table. */
  get newest(): SegmentHeader | null {
    return this.segments.at(-1) ?? null;
  }

  newestSums(): BucketSums {
    const { newest } = this;
    return newest === null ? BucketSums.empty() : BucketSums.decode(newest);
  }

  /** The newest publish up to the one named; null when the table begins later. */
  at(publishId: string): SegmentHeader | null {
    return this.segments.filter((segment) => segment.publishId <= publishId).at(-1) ?? null;
  }

  /** Ids and hashes of one bucket as of a publish of {@link at}. */
  async bucket(bucket: number, upTo: SegmentHeader | null = this.newest): Promise<Map<IdKey, PointHash>> {
    const points = new Map<IdKey, PointHash>();
    if (upTo === null) return points;
    const chain = this.segments.slice(0, this.segments.indexOf(upTo) + 1);
    const start = chain.map((segment) => segment.full).lastIndexOf(true);
    for (const segment of chain.slice(start)) await readBucket(this.folder, segment, bucket, points);
    return points;
  }

  /** Adds what is known as of a publish; answers the digest of the whole. */
  async advance(publishId: string, update: Update): Promise<BucketSums> {
    const before = this.newest;
    if (before === null && !update.whole) throw new TableTornError(`${this.folder} is empty.`);
    // Known whole, the sums are made anew: an error in the old ones ends here.
    const sums = before === null || update.whole ? BucketSums.empty() : BucketSums.decode(before);
    const writer = await SegmentWriter.create(this.folder, publishId, before === null);
    try {
      for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
        await writer.bucket(await this.changesOf(bucket, update, sums));
      }
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    const header = await writer.finish({ publishId, full: before === null, ...sums.encode() });
    this.segments = [...this.segments, header];
    await this.fold();
    return sums;
  }

  async remove(): Promise<void> {
    this.segments = [];
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Only what is different from before, which the sums follow. */
  private async changesOf(bucket: number, update: Update, sums: BucketSums): Promise<Map<IdKey, Change>> {
    const news = await update.bucket(bucket);
    const changes = new Map<IdKey, Change>();
    if (news.size === 0 && !update.whole) return changes;
    const before = await this.bucket(bucket);
    const put = (key: IdKey, now: Change): void => {
      const old = before.get(key) ?? null;
      if (old !== null && !update.whole) sums.remove(key, old);
      if (now !== null) sums.add(key, now);
      if (!sameHash(old, now)) changes.set(key, now);
    };
    for (const [key, now] of news) put(key, now);
    if (update.whole) for (const key of before.keys()) if (!news.has(key)) put(key, null);
    return changes;
  }

  /** The oldest segments become one, seldom enough that it costs less than the publishes themselves. */
  private async fold(): Promise<void> {
    if (this.segments.length <= 2 * PUBLISHES_KEPT) return;
    const old = this.segments.slice(0, -PUBLISHES_KEPT + 1);
    const last = old.at(-1);
    if (last === undefined) return;
    const writer = await SegmentWriter.create(this.folder, last.publishId, true);
    try {
      for (let bucket = 0; bucket < BUCKETS; bucket += 1)
        await writer.bucket(await this.bucket(bucket, last));
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    const { publishId, points, sums } = last;
    const folded = await writer.finish({ publishId, full: true, points, sums });
    this.segments = [folded, ...this.segments.slice(old.length)];
    for (const segment of old.slice(0, -1)) await removeSegment(this.folder, segment);
    await rm(`${this.folder}/${last.file}`, { force: true });
  }
}

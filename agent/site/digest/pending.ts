/** What has been read of one collection since its last segment, and is in none yet. */
import type { QdrantClient } from '../qdrant/client';
import { bucketOf } from './bucket-sums';
import { hashPoint, keyOf, type IdKey } from './point-hash';
import { readPoints, scanPoints, RETRIEVE_BATCH } from './point-reader';
import type { Change } from './segment';
import { Spill } from './spill';
import type { Update } from './table';

/** Asked between requests; throws when it is time to stop. */
export type Meanwhile = () => void;

export class PendingCollection implements Update {
  private spill: Spill | null = null;
  private readonly overlay = new Map<IdKey, Change>();
  private buckets: Map<number, Map<IdKey, Change>> | null = null;

  constructor(
    readonly name: string,
    private readonly folder: string,
  ) {}

  get whole(): boolean {
    return this.spill !== null;
  }

  get isEmpty(): boolean {
    return this.spill === null && this.overlay.size === 0;
  }

  /** Points that are kept in memory. */
  get size(): number {
    return this.overlay.size;
  }

  async scan(qdrant: Pick<QdrantClient, 'pointsText'>, meanwhile: Meanwhile): Promise<void> {
    // An earlier reading that was not used ends here, also if this one does not come to its end.
    await this.clear();
    const spill = await Spill.create(this.folder);
    for await (const page of scanPoints(qdrant, this.name)) {
      for (const point of page) await spill.add(keyOf(point.id), hashPoint(point));
      meanwhile();
    }
    this.spill = spill;
  }

  async read(
    qdrant: Pick<QdrantClient, 'pointsText'>,
    ids: readonly IdKey[],
    meanwhile: Meanwhile,
  ): Promise<void> {
    this.buckets = null;
    for (let at = 0; at < ids.length; at += RETRIEVE_BATCH) {
      const keys = ids.slice(at, at + RETRIEVE_BATCH);
      const found = await readPoints(qdrant, this.name, keys);
      for (const key of keys) {
        const point = found.get(key);
        this.overlay.set(key, point === undefined ? null : hashPoint(point));
      }
      meanwhile();
    }
  }

  /** What was read later counts. */
  async bucket(bucket: number): Promise<ReadonlyMap<IdKey, Change>> {
    const points: Map<IdKey, Change> = this.spill === null ? new Map() : await this.spill.bucket(bucket);
    for (const [key, change] of this.byBucket().get(bucket) ?? []) {
      if (change === null && this.whole) points.delete(key);
      else points.set(key, change);
    }
    return points;
  }

  async clear(): Promise<void> {
    await this.spill?.remove();
    this.spill = null;
    this.overlay.clear();
    this.buckets = null;
  }

  private byBucket(): Map<number, Map<IdKey, Change>> {
    if (this.buckets !== null) return this.buckets;
    const buckets = new Map<number, Map<IdKey, Change>>();
    for (const [key, change] of this.overlay) {
      const bucket = bucketOf(key);
      const inBucket = buckets.get(bucket) ?? new Map<IdKey, Change>();
      buckets.set(bucket, inBucket.set(key, change));
    }
    this.buckets = buckets;
    return buckets;
  }
}

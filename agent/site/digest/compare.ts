/** Is what this site holds what the publisher had at its cut? Point by point, from 256 sums a collection. */
import type { Manifest } from '../snapshots/manifest';
import { BucketSums, bucketOf } from './bucket-sums';
import { hashPoint, keyOf, sameHash, type IdKey, type PointHash } from './point-hash';
import { scanPoints, type PointSource } from './point-reader';

/** Ids that are named in one verdict; the number of buckets says how much more there is. */
export const NAMED_IDS = 20;
/** Buckets that the publisher is asked about. */
const ASKED_BUCKETS = 4;

export type Digested = Pick<Manifest['collections'][number], 'name' | 'digest'>;

export interface ComparePorts {
  readonly qdrant: PointSource;
  /** The publisher's own ids of a bucket at the publish; null when it no longer knows. */
  readonly publishersBucket: (
    publishId: string,
    collection: string,
    bucket: number,
  ) => Promise<ReadonlyMap<IdKey, PointHash> | null>;
  /** Throws when it is time to stop. */
  readonly meanwhile: () => void;
}

export interface Comparison {
  /** One sentence each; empty when every point is the publisher's. */
  readonly differences: readonly string[];
  /** Collections that were published without a digest, with the reason. */
  readonly absent: readonly string[];
  readonly points: number;
}

export async function compareDigests(
  publishId: string,
  collections: readonly Digested[],
  ports: ComparePorts,
): Promise<Comparison> {
  const differences: string[] = [];
  const absent: string[] = [];
  let points = 0;
  for (const { name, digest } of collections) {
    if (digest === undefined || 'absent' in digest) {
      absent.push(
        `${name}: ${digest === undefined ? 'published by an agent without digests' : digest.absent}`,
      );
      continue;
    }
    const here = BucketSums.empty();
    await eachPoint(name, ports, (key, hash) => here.add(key, hash));
    points += here.points;
    const buckets = BucketSums.decode(digest).differing(here);
    if (buckets.length > 0) differences.push(...(await nameDifferences(publishId, name, buckets, ports)));
  }
  return { differences, absent, points };
}

async function nameDifferences(
  publishId: string,
  name: string,
  buckets: readonly number[],
  ports: ComparePorts,
): Promise<string[]> {
  const asked = buckets.slice(0, ASKED_BUCKETS);
  const there = new Map<IdKey, PointHash>();
  let answered = true;
  for (const bucket of asked) {
    const answer = await ports.publishersBucket(publishId, name, bucket).catch(() => null);
    if (answer === null) answered = false;
    for (const [key, hash] of answer ?? []) there.set(key, hash);
  }
  const summary = `${name}: the points of ${buckets.length} of 256 buckets are not what was published`;
  if (!answered) return [`${summary}; the publisher could not be asked which`];
  const found: string[] = [];
  const seen = new Set<IdKey>();
  await eachPoint(name, ports, (key, hash) => {
    if (!asked.includes(bucketOf(key))) return;
    seen.add(key);
    const published = there.get(key);
    if (!sameHash(hash, published)) found.push(`point ${key} ${differenceOf(hash, published)}`);
  });
  for (const key of there.keys()) if (!seen.has(key)) found.push(`point ${key} is missing here`);
  if (found.length === 0) return [`${summary}; by its table the publisher has the same`];
  const more = found.length > NAMED_IDS || buckets.length > asked.length ? ', and more' : '';
  return [`${summary}: ${found.slice(0, NAMED_IDS).join(', ')}${more}`];
}

function differenceOf(here: PointHash, there: PointHash | undefined): string {
  if (there === undefined) return 'is only here';
  if (here.payload === there.payload) return 'has other vectors';
  return here.vectors === there.vectors ? 'has another payload' : 'has another payload and other vectors';
}

async function eachPoint(
  name: string,
  { qdrant, meanwhile }: ComparePorts,
  visit: (key: IdKey, hash: PointHash) => void,
): Promise<void> {
  for await (const page of scanPoints(qdrant, name)) {
    for (const point of page) visit(keyOf(point.id), hashPoint(point));
    meanwhile();
  }
}

/** Points whose content follows from their id and version, so that any of them can be checked without keeping them. */
import type { QdrantClient } from '@qdrant/js-client-rest';

export const COLLECTION = 'docs';
export const DIMENSIONS = 128;
const BATCH = 500;
const WORDS = ['invoice', 'contract', 'summary', 'meeting', 'report', 'offer', 'minutes', 'letter'];

export interface BenchPoint {
  readonly id: number;
  readonly vector: number[];
  readonly payload: Record<string, unknown>;
}

/** Evenly spread vectors do not compress, as embeddings do not. */
export function pointOf(id: number, version: number): BenchPoint {
  const next = random((id * 2_654_435_761 + version * 40_503) >>> 0);
  const vector = Array.from({ length: DIMENSIONS }, () => Math.fround(next() * 2 - 1));
  const words = Array.from({ length: 12 }, () => WORDS[Math.floor(next() * WORDS.length)]);
  return {
    id,
    vector,
    payload: { tenant: `tenant-${id % 50}`, version, text: words.join(' '), score: Math.round(next() * 1e6) },
  };
}

/** mulberry32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One in a hundred, spread over all; another one in each round. */
export function changedIds(points: number, round: number): number[] {
  return Array.from({ length: Math.floor(points / 100) }, (_, i) => i * 100 + (round % 100));
}

export async function createCollection(client: QdrantClient): Promise<void> {
  await client.createCollection(COLLECTION, {
    vectors: { size: DIMENSIONS, distance: 'Cosine' },
    shard_number: 1,
  });
  await client.createPayloadIndex(COLLECTION, { field_name: 'tenant', field_schema: 'keyword', wait: true });
}

export async function write(
  client: QdrantClient,
  ids: readonly number[],
  version: number,
  progress: (done: number) => void = () => undefined,
): Promise<void> {
  for (let at = 0; at < ids.length; at += BATCH) {
    const points = ids.slice(at, at + BATCH).map((id) => pointOf(id, version));
    await client.upsert(COLLECTION, { points, wait: true });
    progress(Math.min(at + BATCH, ids.length));
  }
}

/** Optimizers work in the background; what they rewrite later would count for whoever is measured then. */
export async function untilSettled(client: QdrantClient, pause: () => Promise<void>): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    const { status, optimizer_status: optimizers } = await client.getCollection(COLLECTION);
    if (optimizers !== 'ok')
      throw new Error(`the optimizers of ${COLLECTION} failed: ${JSON.stringify(optimizers)}`);
    quiet = status === 'green' ? quiet + 1 : 0;
    await pause();
  }
}

/** About a thousand points, and none of the places within a hundred left out, whichever of them was changed. */
export function sampleStep(points: number): number {
  let step = Math.max(1, Math.floor(points / 1000));
  while (step % 2 === 0 || step % 5 === 0) step += 1;
  return step;
}

/** Exact counts, and points all over the ids as they should be by now. Answers what is wrong; null is well. */
export async function differenceFrom(
  client: QdrantClient,
  points: number,
  versionOf: (id: number) => number,
): Promise<string | null> {
  const { count } = await client.count(COLLECTION, { exact: true });
  if (count !== points) return `${count} points instead of ${points}`;
  const step = sampleStep(points);
  const ids = Array.from({ length: Math.ceil(points / step) }, (_, i) => i * step);
  for (let at = 0; at < ids.length; at += BATCH) {
    const found = await client.retrieve(COLLECTION, { ids: ids.slice(at, at + BATCH), with_payload: true });
    for (const { id, payload } of found) {
      const wanted = versionOf(Number(id));
      if (payload?.['version'] !== wanted)
        return `point ${id} is of version ${String(payload?.['version'])} instead of ${wanted}`;
    }
    if (found.length !== Math.min(BATCH, ids.length - at)) return 'points are missing';
  }
  return null;
}

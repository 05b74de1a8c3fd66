/** Repeatable points, and the few requests that most tests make. */
import type { Http } from './http';

export interface TestPoint {
  readonly id: number | string;
  readonly vector: number[];
  readonly payload: Record<string, unknown>;
}

/** A unit-free vector that depends on the id only (mulberry32), so that a point can be known again after a restore. */
export function vectorOf(id: number, size: number): number[] {
  let state = (id + 1) * 0x6d2b79f5;
  return Array.from({ length: size }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  });
}

export function points(from: number, to: number, size: number): TestPoint[] {
  return Array.from({ length: to - from }, (_, i) => ({
    id: from + i,
    vector: vectorOf(from + i, size),
    payload: { n: from + i, group: `g${(from + i) % 5}` },
  }));
}

const BATCH = 1_000;

export async function fill(
  http: Http,
  collection: string,
  from: number,
  to: number,
  size: number,
): Promise<void> {
  for (let start = from; start < to; start += BATCH) {
    await upsert(http, collection, points(start, Math.min(start + BATCH, to), size));
  }
}

export async function upsert(http: Http, collection: string, list: readonly TestPoint[]): Promise<void> {
  const answer = await http.put(`/collections/${collection}/points?wait=true`, { points: list });
  if (answer.status !== 200) throw new Error(`upsert answered ${answer.status}: ${answer.text}`);
}

export async function create(
  http: Http,
  collection: string,
  size: number,
  options: { readonly shards?: number; readonly distance?: string } = {},
): Promise<void> {
  const answer = await http.put(`/collections/${collection}`, {
    vectors: { size, distance: options.distance ?? 'Dot' },
    shard_number: options.shards ?? 1,
  });
  if (answer.status !== 200) throw new Error(`creating answered ${answer.status}: ${answer.text}`);
}

export async function exactCount(http: Http, collection: string): Promise<number> {
  const answer = await http.post<{ count: number }>(`/collections/${collection}/points/count`, {
    exact: true,
  });
  if (answer.status !== 200) throw new Error(`count answered ${answer.status}: ${answer.text}`);
  return answer.result.count;
}

export interface Snapshot {
  readonly name: string;
  readonly size: number;
  readonly checksum: string;
  readonly creation_time: string;
}

export async function shardSnapshot(http: Http, collection: string, shard = 0): Promise<Snapshot> {
  const answer = await http.post<Snapshot>(`/collections/${collection}/shards/${shard}/snapshots?wait=true`);
  if (answer.status !== 200) throw new Error(`the snapshot answered ${answer.status}: ${answer.text}`);
  return answer.result;
}

export function downloadShard(
  http: Http,
  collection: string,
  name: string,
  shard = 0,
): Promise<Buffer<ArrayBuffer>> {
  return http.download(`/collections/${collection}/shards/${shard}/snapshots/${name}`);
}

/** Waits until a condition holds; rejects with what was last seen. */
export async function until<T>(
  look: () => Promise<T>,
  good: (seen: T) => boolean,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    if (Date.now() > deadline)
      throw new Error(`not within ${timeoutMs} ms; last seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

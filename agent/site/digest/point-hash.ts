/**
 * What a point is, in 32 bytes: one hash of its payload, one of its vectors. Equal data hash equal however Qdrant prints
 * them: order of keys, 0.1 or 0.10000000149, an absent or an empty payload.
 */
import { createHash } from 'node:crypto';
import { stringifyExact } from './exact-json';

/** A point's id as JSON text, which is exact for unsigned 64-bit integers: `7`, `"5c56c793-…"`. */
export type IdKey = string;

/** Hashes are 128 bits in base64url: they guard against faults, not against somebody who forges points. */
export interface PointHash {
  readonly payload: string;
  readonly vectors: string;
}

export interface RawPoint {
  readonly id: unknown;
  readonly payload?: unknown;
  readonly vector?: unknown;
}

const HASH_BYTES = 16;
const NOTHING = '';

/** @throws TypeError for what is no id of Qdrant's */
export function keyOf(id: unknown): IdKey {
  if (typeof id === 'string') return JSON.stringify(id);
  if (typeof id === 'bigint' || (typeof id === 'number' && Number.isSafeInteger(id))) return String(id);
  throw new TypeError(`${String(id)} is no id of a point: expected an unsigned integer or a UUID`);
}

export function hashPoint(point: RawPoint): PointHash {
  return { payload: hashPayload(point.payload), vectors: hashVectors(point.vector) };
}

export function sameHash(a: PointHash | null | undefined, b: PointHash | null | undefined): boolean {
  return (a?.payload ?? null) === (b?.payload ?? null) && (a?.vectors ?? null) === (b?.vectors ?? null);
}

/** Absent, null and empty payloads are one; a field that is null is not the same as a field that is absent. */
function hashPayload(payload: unknown): string {
  if (!isRecord(payload) || Object.keys(payload).length === 0) return NOTHING;
  return digest((hash) => hash.update(stringifyExact(sorted(payload))));
}

function hashVectors(vector: unknown): string {
  const named = namesOf(vector);
  if (named.length === 0) return NOTHING;
  return digest((hash) => {
    for (const [name, value] of named) {
      hash.update(JSON.stringify(name));
      updateWith(hash, value);
    }
  });
}

/** The unnamed vector has the empty name, as in Qdrant itself. */
function namesOf(vector: unknown): (readonly [string, unknown])[] {
  if (Array.isArray(vector)) return vector.length === 0 ? [] : [['', vector]];
  if (!isRecord(vector)) return [];
  return Object.entries(vector)
    .filter(([, value]) => value !== null && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function updateWith(hash: ReturnType<typeof createHash>, value: unknown): void {
  if (Array.isArray(value) && Array.isArray(value[0])) {
    hash.update(`multi ${value.length}`);
    for (const row of value as unknown[]) updateWith(hash, row);
  } else if (Array.isArray(value)) {
    hash.update(`dense ${value.length}:`);
    hash.update(floats(value as number[]));
  } else if (isRecord(value) && Array.isArray(value['indices']) && Array.isArray(value['values'])) {
    const values = value['values'] as number[];
    const pairs = (value['indices'] as number[]).map((index, at) => [index, values[at] ?? 0] as const);
    pairs.sort(([a], [b]) => a - b);
    hash.update(`sparse ${pairs.map(([index]) => index).join(',')}:`);
    hash.update(floats(pairs.map(([, number]) => number)));
  } else {
    hash.update(`other ${stringifyExact(sorted(value))}`);
  }
}

/** As Qdrant keeps them, whatever decimal text they came as; −0 is 0. */
function floats(values: readonly number[]): Uint8Array {
  const array = Float32Array.from(values, (value) => (value === 0 ? 0 : value));
  return new Uint8Array(array.buffer);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function digest(fill: (hash: ReturnType<typeof createHash>) => void): string {
  const hash = createHash('sha256');
  fill(hash);
  return hash.digest().subarray(0, HASH_BYTES).toString('base64url');
}

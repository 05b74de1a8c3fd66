/** SHA-256 of a stream on its way, and digests of JSON that do not depend on the order of keys. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export class HashingTransform extends Transform {
  private readonly hash = createHash('sha256');
  bytes = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.hash.update(chunk);
    this.bytes += chunk.length;
    done(null, chunk);
  }

  /** Once only, after the stream has ended. */
  digest(): string {
    return this.hash.digest('hex');
  }
}

export async function hashFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const hashing = new HashingTransform();
  hashing.resume();
  await pipeline(createReadStream(path), hashing);
  return { bytes: hashing.bytes, sha256: hashing.digest() };
}

/** JSON with sorted keys and without nulls: how Qdrant prints an absent value differs between calls. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value)) ?? 'null';
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== null && inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, canonical(inner)]));
}

export function digestJson(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

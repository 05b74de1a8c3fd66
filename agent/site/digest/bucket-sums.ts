/**
 * A digest of a set of points that does not depend on their order and that one point changes in constant time: the points
 * fall into 256 buckets by a hash of their id, and each bucket has the sum, modulo 2^128, of its points' hashes. Two sides
 * compare 256 numbers and know in which buckets they differ.
 */
import { createHash } from 'node:crypto';
import type { IdKey, PointHash } from './point-hash';

export const BUCKETS = 256;
const SUM_BYTES = 16;
const MODULUS = 1n << 128n;

/** FNV-1a of the id's text. Part of the format: both sides must sort alike. */
export function bucketOf(key: IdKey): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
}

export class BucketSums {
  private readonly sums: bigint[];
  private count: number;

  private constructor(sums: bigint[], points: number) {
    this.sums = sums;
    this.count = points;
  }

  static empty(): BucketSums {
    return new BucketSums(new Array<bigint>(BUCKETS).fill(0n), 0);
  }

  /** @throws RangeError when the text is not of {@link encode} */
  static decode(encoded: { readonly points: number; readonly sums: string }): BucketSums {
    const bytes = Buffer.from(encoded.sums, 'base64');
    if (bytes.length !== BUCKETS * SUM_BYTES) {
      throw new RangeError(`a digest has ${BUCKETS * SUM_BYTES} bytes, this has ${bytes.length}`);
    }
    const sums = Array.from({ length: BUCKETS }, (_, bucket) =>
      fromBytes(bytes.subarray(bucket * SUM_BYTES, (bucket + 1) * SUM_BYTES)),
    );
    return new BucketSums(sums, encoded.points);
  }

  get points(): number {
    return this.count;
  }

  add(key: IdKey, hash: PointHash): void {
    this.change(key, hash, 1);
  }

  remove(key: IdKey, hash: PointHash): void {
    this.change(key, hash, -1);
  }

  /** Buckets whose points are not the same here and there. */
  differing(other: BucketSums): number[] {
    return this.sums.flatMap((sum, bucket) => (sum === other.sums[bucket] ? [] : [bucket]));
  }

  encode(): { points: number; sums: string } {
    return { points: this.count, sums: Buffer.concat(this.sums.map(toBytes)).toString('base64') };
  }

  copy(): BucketSums {
    return new BucketSums([...this.sums], this.count);
  }

  private change(key: IdKey, { payload, vectors }: PointHash, sign: 1 | -1): void {
    const bucket = bucketOf(key);
    const hash = createHash('sha256').update(`${key}\t${payload}\t${vectors}`).digest();
    const value = fromBytes(hash.subarray(0, SUM_BYTES));
    const sum = (this.sums[bucket] ?? 0n) + (sign === 1 ? value : MODULUS - value);
    this.sums[bucket] = sum % MODULUS;
    this.count += sign;
  }
}

function fromBytes(bytes: Buffer): bigint {
  return (bytes.readBigUInt64BE(0) << 64n) | bytes.readBigUInt64BE(8);
}

function toBytes(sum: bigint): Buffer {
  const bytes = Buffer.alloc(SUM_BYTES);
  bytes.writeBigUInt64BE(sum >> 64n, 0);
  bytes.writeBigUInt64BE(sum & 0xffffffffffffffffn, 8);
  return bytes;
}

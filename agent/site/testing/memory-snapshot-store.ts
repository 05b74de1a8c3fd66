/** A snapshot store in memory that behaves like the real one, and can be told to fail. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HashingTransform } from '../snapshots/hashing';
import { parseManifest, type Manifest } from '../snapshots/manifest';
import {
  PublishMissingError,
  SnapshotStoreUnreachableError,
  type LatestPointer,
  type PartRef,
  type SnapshotStore,
} from '../snapshots/store';

interface Stored {
  body: Buffer;
  token: string;
  atMs: number;
}

export class MemorySnapshotStore implements SnapshotStore {
  readonly objects = new Map<string, Stored>();
  reachable = true;
  /** The store's own clock, which no site's clock has anything to do with. */
  nowMs = (): number => performance.now();
  /** Called before an object is stored or read; may throw or alter the bytes. */
  onWrite: ((key: string, body: Buffer) => Buffer) | null = null;
  onRead: ((key: string, body: Buffer) => Buffer) | null = null;
  private serial = 0;

  async putPart(ref: PartRef, body: Readable): Promise<{ bytes: number; sha256: string }> {
    this.need();
    const hashing = new HashingTransform();
    const chunks: Buffer[] = [];
    hashing.on('data', (chunk: Buffer) => chunks.push(chunk));
    await pipeline(body, hashing);
    this.put(partKey(ref), Buffer.concat(chunks));
    return { bytes: hashing.bytes, sha256: hashing.digest() };
  }

  async openPart(ref: PartRef): Promise<Readable> {
    return Readable.from([this.get(partKey(ref)).body]);
  }

  async putManifest(manifest: Manifest): Promise<void> {
    this.put(
      `${manifest.site}/publishes/${manifest.id}/manifest.json`,
      Buffer.from(JSON.stringify(manifest)),
    );
  }

  async readManifest(site: string, publishId: string): Promise<{ manifest: Manifest; ageSeconds: number }> {
    const key = `${site}/publishes/${publishId}/manifest.json`;
    const { body, atMs } = this.get(key);
    return { manifest: parseManifest(body.toString('utf8'), key), ageSeconds: (this.nowMs() - atMs) / 1000 };
  }

  async readLatest(): Promise<{ pointer: LatestPointer; token: string } | null> {
    this.need();
    const found = this.objects.get('latest');
    if (found === undefined) return null;
    return { pointer: JSON.parse(found.body.toString('utf8')) as LatestPointer, token: found.token };
  }

  async moveLatest(pointer: LatestPointer, ifToken: string | null): Promise<'moved' | 'conflict'> {
    this.need();
    if ((this.objects.get('latest')?.token ?? null) !== ifToken) return 'conflict';
    this.put('latest', Buffer.from(JSON.stringify(pointer)));
    return 'moved';
  }

  async listPublishes(site: string): Promise<string[]> {
    this.need();
    const prefix = `${site}/publishes/`;
    const ids = [...this.objects.keys()].filter((key) => key.startsWith(prefix));
    return [...new Set(ids.map((key) => key.slice(prefix.length).split('/')[0] ?? ''))].sort();
  }

  async removePublish(site: string, publishId: string): Promise<void> {
    this.need();
    for (const key of this.objects.keys()) {
      if (key.startsWith(`${site}/publishes/${publishId}/`)) this.objects.delete(key);
    }
  }

  async close(): Promise<void> {
    this.reachable = false;
  }

  private put(key: string, body: Buffer): void {
    this.need();
    this.serial += 1;
    const stored = this.onWrite?.(key, body) ?? body;
    this.objects.set(key, { body: stored, token: `"${this.serial}"`, atMs: this.nowMs() });
  }

  private get(key: string): Stored {
    this.need();
    const found = this.objects.get(key);
    if (found === undefined) throw new PublishMissingError(`The store has no ${key}.`);
    return { ...found, body: this.onRead?.(key, found.body) ?? found.body };
  }

  private need(): void {
    if (!this.reachable) throw new SnapshotStoreUnreachableError('The store does not answer.');
  }
}

function partKey(ref: PartRef): string {
  return `${ref.site}/publishes/${ref.publishId}/${ref.collection}/${ref.shardId}.snapshot`;
}

/** Manifests, pointer and parts in memory; behaves like the real stores, and can be told to fail. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createHash } from 'node:crypto';
import { HashingTransform } from '../snapshots/hashing';
import { parseManifest, type Manifest } from '../snapshots/manifest';
import {
  PartCorruptError,
  type Digest,
  type PartKey,
  type PartSource,
  type PartStore,
  type StoredParts,
} from '../snapshots/parts';
import {
  PublishMissingError,
  SnapshotStoreUnreachableError,
  type LatestPointer,
  type SnapshotStore,
} from '../snapshots/store';

interface Stored {
  body: Buffer;
  token: string;
  atMs: number;
}

export class MemorySnapshotStore implements SnapshotStore, PartStore {
  readonly objects = new Map<string, Stored>();
  reachable = true;
  /** The store's own clock, which no site's clock has anything to do with. */
  nowMs = (): number => performance.now();
  /** Called before an object is stored or read; may throw or alter the bytes. */
  onWrite: ((key: string, body: Buffer) => Buffer) | null = null;
  onRead: ((key: string, body: Buffer) => Buffer) | null = null;
  /** Called when parts are asked for; may hang until the signal. */
  onFetch: ((signal: AbortSignal | undefined) => Promise<void>) | null = null;
  /** What the publishers asked to have kept. */
  readonly retained: string[][] = [];
  private serial = 0;

  async put(publishId: string, sources: readonly PartSource[]): Promise<StoredParts> {
    this.need();
    const snapshot = createHash('sha256').update(publishId).digest('hex');
    const parts: Digest[] = [];
    for (const source of sources) {
      const hashing = new HashingTransform();
      const chunks: Buffer[] = [];
      hashing.on('data', (chunk: Buffer) => chunks.push(chunk));
      await pipeline(await source.open(), hashing);
      const digest = { bytes: hashing.bytes, sha256: hashing.digest() };
      await source.taken(digest);
      this.store(partKey(snapshot, source), Buffer.concat(chunks));
      parts.push(digest);
    }
    return { snapshot, parts };
  }

  async fetch(
    { snapshot }: Manifest,
    wanted: readonly PartKey[],
    take: (key: PartKey, body: Readable) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.onFetch?.(signal);
    const once = (key: PartKey) => take(key, Readable.from([this.get(partKey(snapshot, key)).body]));
    for (const key of wanted) {
      signal?.throwIfAborted();
      await once(key).catch((error: unknown) => {
        if (error instanceof PartCorruptError) return once(key);
        throw error;
      });
    }
  }

  fetchAfresh(...asked: Parameters<PartStore['fetch']>): Promise<void> {
    return this.fetch(...asked);
  }

  room(): Promise<number> {
    return Promise.resolve(0);
  }

  async retain(publishIds: readonly string[]): Promise<void> {
    this.need();
    this.retained.push([...publishIds]);
  }

  async putManifest(manifest: Manifest): Promise<void> {
    this.store(
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
    this.store('latest', Buffer.from(JSON.stringify(pointer)));
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

  private store(key: string, body: Buffer): void {
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

function partKey(snapshot: string, { collection, shardId }: PartKey): string {
  return `parts/${snapshot}/${collection}/${shardId}.snapshot`;
}

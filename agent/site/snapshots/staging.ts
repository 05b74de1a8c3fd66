/**
 * The folder under Qdrant's snapshots path where parts wait, verified, to be recovered from. A publish is complete here
 * once its manifest is; the last one that was applied is kept for going back to.
 *
 * Qdrant recovers a shard from a URL or from a file among that shard's own snapshots, nothing else: a part is shown
 * there as a second link to the same file for as long as its recovery takes.
 */
import { createWriteStream } from 'node:fs';
import { chmod, link, mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { codeOf, isNoSuchFile } from '../errors';
import { readIfPresent, syncFile, writeDurably } from '../state/durable-file';
import { HashingTransform, hashFile } from './hashing';
import { parseManifest, type Manifest, type ManifestShard } from './manifest';
import { DiskSpaceError, PartCorruptError, type PartKey, type PartStore } from './parts';

/** Readable for Qdrant through the group that the folder hands down, whatever the umask is. */
const FILE_MODE = 0o640;
const LINK_PREFIX = 'failover-';
const SPARE_BYTES = 64 * 1024 * 1024;

export class Staging {
  /** Parts whose digest was checked by this process: reading gigabytes twice helps nobody. */
  private readonly checked = new Set<string>();

  constructor(
    readonly root: string,
    private readonly freeBytes: () => Promise<number> = () => freeBytesAt(root),
  ) {}

  partPath(publishId: string, collection: string, shardId: number): string {
    return join(this.root, publishId, encodeURIComponent(collection), `${shardId}.snapshot`);
  }

  /**
   * Shows a part to Qdrant among the shard's snapshots.
   *
   * @param among the collection that it is to be recovered into, where that has another name
   * @returns its name there, and what takes it away again
   */
  async show(
    publishId: string,
    collection: string,
    shardId: number,
    among = collection,
  ): Promise<{ name: string; hide(): Promise<void> }> {
    const folder = join(this.snapshots, among, 'shards', String(shardId));
    await this.makeFolders(folder);
    const name = `${LINK_PREFIX}${publishId}.snapshot`;
    const path = join(folder, name);
    await rm(path, { force: true });
    await link(this.partPath(publishId, collection, shardId), path);
    return { name, hide: () => rm(path, { force: true }) };
  }

  /** Takes away what a killed recovery left among Qdrant's snapshots. */
  async sweep(): Promise<void> {
    for (const collection of await entriesOf(this.snapshots)) {
      const shards = join(this.snapshots, collection, 'shards');
      for (const shard of await entriesOf(shards)) {
        for (const name of await entriesOf(join(shards, shard))) {
          if (name.startsWith(LINK_PREFIX)) await rm(join(shards, shard, name), { force: true });
        }
      }
    }
  }

  /** Brings every part here and checks each; resumes where an earlier try stopped. */
  async fetch(
    manifest: Manifest,
    parts: Pick<PartStore, 'fetch'>,
    onPart: () => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    await mkdir(join(this.root, manifest.id), { recursive: true });
    const wanted = new Map<PartKey, ManifestShard>();
    for (const { name: collection, shards } of manifest.collections) {
      for (const shard of shards) {
        const { shardId } = shard;
        const path = this.partPath(manifest.id, collection, shardId);
        if (!(await this.isWhole(path, shard))) wanted.set({ collection, shardId }, shard);
      }
    }
    const take = async (key: PartKey, body: Readable): Promise<void> => {
      const shard = wanted.get(key);
      if (shard === undefined) throw new TypeError(`${key.collection}/${key.shardId} was not asked for`);
      const path = this.partPath(manifest.id, key.collection, key.shardId);
      await storePart(path, shard, body);
      this.checked.add(path);
      await onPart();
    };
    await parts.fetch(manifest, [...wanted.keys()], take, signal);
    await writeDurably(this.manifestPath(manifest.id), JSON.stringify(manifest));
  }

  /** The manifest of a publish that is complete here, or null. */
  async manifest(publishId: string): Promise<Manifest | null> {
    const path = this.manifestPath(publishId);
    const text = await readIfPresent(path);
    return text === null ? null : parseManifest(text, path);
  }

  /** Before parts are recovered from again: a disk may have rotted since. */
  async verify(manifest: Manifest): Promise<void> {
    for (const collection of manifest.collections) {
      for (const shard of collection.shards) {
        const path = this.partPath(manifest.id, collection.name, shard.shardId);
        if (!(await this.isWhole(path, shard))) {
          throw new PartCorruptError(
            `${path} is not the part that was staged. Remove ${this.root}/${manifest.id} and apply again.`,
          );
        }
      }
    }
  }

  async requireSpace(manifest: Manifest, parts: Pick<PartStore, 'room'>): Promise<void> {
    let missing = 0;
    let largest = 0;
    for (const collection of manifest.collections) {
      for (const shard of collection.shards) {
        largest = Math.max(largest, shard.bytes);
        if ((await sizeOf(this.partPath(manifest.id, collection.name, shard.shardId))) !== shard.bytes)
          missing += shard.bytes;
      }
    }
    // Qdrant unpacks a part beside the shard that it replaces.
    const needed = missing + (await parts.room(manifest)) + 2 * largest + SPARE_BYTES;
    const free = await this.freeBytes();
    if (free < needed) {
      throw new DiskSpaceError(
        `Applying ${manifest.id} takes ${needed} bytes on the disk of ${this.root}, ${free} are free. Make room; nothing was touched.`,
      );
    }
  }

  async keepOnly(publishIds: readonly (string | null)[]): Promise<void> {
    for (const entry of await entriesOf(this.root)) {
      if (publishIds.includes(entry)) continue;
      await rm(join(this.root, entry), { recursive: true, force: true });
      for (const path of this.checked)
        if (path.startsWith(join(this.root, entry) + '/')) this.checked.delete(path);
    }
  }

  private get snapshots(): string {
    return dirname(this.root);
  }

  /**
   * Folders that Qdrant did not make yet have to be as if it had: its group and the set-group-ID bit come from the
   * parent, the mode from the unit's umask. Setting the bit itself is what the unit's sandbox forbids.
   */
  private async makeFolders(folder: string): Promise<void> {
    const missing: string[] = [];
    for (let path = folder; path !== this.snapshots && (await sizeOf(path)) === null; path = dirname(path)) {
      missing.unshift(path);
    }
    for (const path of missing) await mkdir(path, { recursive: true });
  }

  private manifestPath(publishId: string): string {
    return join(this.root, publishId, 'manifest.json');
  }

  private async isWhole(path: string, shard: ManifestShard): Promise<boolean> {
    if ((await sizeOf(path)) !== shard.bytes) return false;
    if (this.checked.has(path)) return true;
    if ((await hashFile(path)).sha256 !== shard.sha256) return false;
    this.checked.add(path);
    return true;
  }
}

async function storePart(path: string, shard: ManifestShard, body: Readable): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.part`;
  const hashing = new HashingTransform();
  await pipeline(body, hashing, createWriteStream(partial, { mode: FILE_MODE }));
  const sha256 = hashing.digest();
  if (sha256 !== shard.sha256 || hashing.bytes !== shard.bytes) {
    await rm(partial, { force: true });
    throw new PartCorruptError(
      `${path} should be ${shard.bytes} bytes with SHA-256 ${shard.sha256}; ${hashing.bytes} bytes with ${sha256} came. ` +
        'Nothing was touched; publish again from the active site.',
    );
  }
  await chmod(partial, FILE_MODE);
  await syncFile(partial);
  await rename(partial, path);
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isNoSuchFile(error)) return null;
    throw error;
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isNoSuchFile(error) || codeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

async function freeBytesAt(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

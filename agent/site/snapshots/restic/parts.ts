/**
 * Parts as deduplicated chunks in restic repositories. Unpacked, so that a file which did not change is found unchanged:
 * publishing unpacks the shards into `outgoing` and backs that up; fetching brings `incoming`, which holds the files of the
 * last fetch, to what was published, and packs the shards from there.
 */
import { access, mkdir, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isNoSuchFile } from '../../errors';
import { HashingTransform } from '../hashing';
import type { Manifest } from '../manifest';
import {
  DiskSpaceError,
  PartCorruptError,
  type Digest,
  type PartKey,
  type PartSource,
  type PartStore,
  type StoredParts,
} from '../parts';
import { unpack } from './archive';
import { packCanonically } from './canonical-tar';
import type { Transfers } from '../transfers';
import type { Repository } from './repository';

/** Unpacking and digesting are bound by disk and one processor each. */
const AT_ONCE = 2;
const SPARE_BYTES = 64 * 1024 * 1024;

export class ResticParts implements PartStore {
  constructor(
    private readonly repository: Repository,
    /** On the disk of Qdrant's snapshots. */
    private readonly root: string,
    private readonly transfers: Transfers,
  ) {}

  async put(publishId: string, sources: readonly PartSource[]): Promise<StoredParts> {
    const outgoing = join(this.root, 'outgoing');
    await rm(outgoing, { recursive: true, force: true });
    await mkdir(outgoing, { recursive: true });
    try {
      await requireRoom(outgoing, sources);
      const parts = await inParallel(sources, async (source) => {
        const folder = folderOf(outgoing, source);
        await mkdir(folder, { recursive: true });
        await source.taken(await unpack(await source.open(), folder));
        return digestOf(packCanonically(folder));
      });
      // A publish without a shard is a snapshot too, and restic refuses empty ones.
      await writeFile(join(outgoing, 'publish'), `${publishId}\n`);
      const snapshot = await this.send(outgoing, publishId);
      return { snapshot, parts };
    } finally {
      await rm(outgoing, { recursive: true, force: true });
    }
  }

  /** What one that was cut short had sent is found and not sent again. */
  private async send(outgoing: string, publishId: string): Promise<string> {
    const unfinished = join(this.root, 'unfinished');
    if (await exists(unfinished)) await this.repository.adopt();
    await writeFile(unfinished, `${publishId}\n`);
    const snapshot = await this.transfers.measure('publish', async (progress) => {
      const backup = await this.repository.backup(outgoing, publishId, progress);
      return { result: backup.snapshot, bytes: backup.bytesAdded };
    });
    await rm(unfinished);
    return snapshot;
  }

  async fetch(
    manifest: Manifest,
    wanted: readonly PartKey[],
    take: (key: PartKey, body: Readable) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (wanted.length === 0) return;
    const refused = await this.bring(manifest, wanted, take, true, signal);
    const stillRefused = await this.bring(
      manifest,
      refused.map(([key]) => key),
      take,
      false,
      signal,
    );
    const [first] = stillRefused;
    if (first !== undefined) throw first[1];
  }

  async fetchAfresh(
    { site, snapshot }: Manifest,
    wanted: readonly PartKey[],
    take: (key: PartKey, body: Readable) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (wanted.length === 0) return;
    const afresh = join(this.root, 'afresh');
    await rm(afresh, { recursive: true, force: true });
    await mkdir(afresh, { recursive: true });
    try {
      await this.transfers.measure('restore-test', async (progress) => {
        const only = wanted.map((key) => folderOf('/', key));
        const options = { trust: false, only, signal, progress };
        return { result: undefined, bytes: await this.repository.restore(site, snapshot, afresh, options) };
      });
      for (const key of wanted) {
        signal?.throwIfAborted();
        await take(key, await packed(folderOf(afresh, key)));
      }
    } finally {
      await rm(afresh, { recursive: true, force: true });
    }
  }

  async room(manifest: Manifest): Promise<number> {
    let bytes = 0;
    for (const { name, shards } of manifest.collections) {
      for (const shard of shards) {
        const kept = await diskUsage(folderOf(this.incoming, { collection: name, ...shard }));
        bytes += Math.max(0, shard.bytes - kept);
      }
    }
    return bytes;
  }

  retain(publishIds: readonly string[], signal?: AbortSignal): Promise<void> {
    return this.repository.retain(new Set(publishIds), signal);
  }

  private get incoming(): string {
    return join(this.root, 'incoming');
  }

  private async bring(
    manifest: Manifest,
    wanted: readonly PartKey[],
    take: (key: PartKey, body: Readable) => Promise<void>,
    trust: boolean,
    signal: AbortSignal | undefined,
  ): Promise<[PartKey, PartCorruptError][]> {
    if (wanted.length === 0) return [];
    await mkdir(this.incoming, { recursive: true });
    const { site, snapshot } = manifest;
    await this.transfers.measure('apply', async (progress) => {
      const options = { trust, signal, progress };
      const bytes = await this.repository.restore(site, snapshot, this.incoming, options);
      return { result: undefined, bytes };
    });
    const refused: [PartKey, PartCorruptError][] = [];
    await inParallel(wanted, async (key) => {
      signal?.throwIfAborted();
      try {
        await take(key, await packed(folderOf(this.incoming, key)));
      } catch (error) {
        if (!(error instanceof PartCorruptError)) throw error;
        refused.push([key, error]);
      }
    });
    return refused;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isNoSuchFile(error)) return false;
    throw error;
  }
}

async function packed(folder: string): Promise<Readable> {
  if (!(await exists(folder))) {
    throw new PartCorruptError(`${folder} is not in what was stored. Publish again from the active site.`);
  }
  return packCanonically(folder);
}

async function digestOf(body: Readable): Promise<Digest> {
  const hashing = new HashingTransform();
  hashing.resume();
  await pipeline(body, hashing);
  return { bytes: hashing.bytes, sha256: hashing.digest() };
}

/** What is unpacked may leave Qdrant's snapshots at once: only the largest are ever here twice. */
async function requireRoom(folder: string, sources: readonly PartSource[]): Promise<void> {
  const largest = [...sources].map(({ bytes }) => bytes).sort((a, b) => b - a);
  const needed = largest.slice(0, AT_ONCE).reduce((sum, bytes) => sum + bytes, SPARE_BYTES);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needed) return;
  throw new DiskSpaceError(
    `Publishing takes ${needed} bytes on the disk of ${folder}, ${bavail * bsize} are free. Make room; nothing was published.`,
  );
}

function folderOf(root: string, { collection, shardId }: PartKey): string {
  return join(root, encodeURIComponent(collection), String(shardId));
}

/** What the files take on disk, holes left out. */
async function diskUsage(folder: string): Promise<number> {
  let entries;
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (isNoSuchFile(error)) return 0;
    throw error;
  }
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}

/** Results in the order of the items. After an error nothing new is begun; what runs is awaited. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array<R>(items.length);
  const queue = items.map((item, index) => ({ item, index }));
  let failed = false;
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined && !failed; next = queue.shift()) {
      try {
        results[next.index] = await work(next.item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}

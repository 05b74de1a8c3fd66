/**
 * Before a fenced site is overwritten, what it holds is copied into the agent's state folder and stays there: the
 * writes that it took after its last publish exist nowhere else.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import { syncFile, writeDurably } from '../state/durable-file';
import { HashingTransform } from './hashing';
import { DiskSpaceError } from './parts';

export interface SetAside {
  readonly folder: string;
  readonly collections: number;
  readonly bytes: number;
}

/**
 * Copies every local shard as a snapshot, with what recreates its collection in `contents.json`.
 *
 * @param root folder that gets one folder per call
 * @param epoch of the lease under which this site is being overwritten
 */
export async function setAsideLocalData(
  qdrant: QdrantClient,
  clock: SiteClock,
  root: string,
  epoch: number,
): Promise<SetAside> {
  const folder = join(root, `epoch-${String(epoch).padStart(10, '0')}`);
  // What an earlier try left is not whole, else it would have been recorded.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const aliases = await qdrant.aliases();
  const names = await qdrant.collectionNames();
  const contents: unknown[] = [];
  let bytes = 0;
  for (const name of names) {
    const info = await qdrant.collection(name);
    const points = await qdrant.count(name);
    const { local } = await qdrant.shards(name);
    const shards: unknown[] = [];
    for (const shard of local) {
      const path = join(folder, encodeURIComponent(name), `${shard.shard_id}.snapshot`);
      const copied = await copyShard(qdrant, name, shard.shard_id, path);
      bytes += copied.bytes;
      shards.push({ shardId: shard.shard_id, key: shard.shard_key ?? null, path, ...copied });
    }
    const own = aliases.filter((alias) => alias.collection_name === name).map((alias) => alias.alias_name);
    contents.push({
      name,
      config: info.config,
      payloadSchema: info.payload_schema,
      aliases: own,
      points,
      shards,
    });
  }
  await writeDurably(
    join(folder, 'contents.json'),
    JSON.stringify({ schemaVersion: 1, setAsideAt: clock.wallIso(), epoch, collections: contents }, null, 2),
  );
  return { folder, collections: names.length, bytes };
}

async function copyShard(
  qdrant: QdrantClient,
  name: string,
  shard: number,
  path: string,
): Promise<{ bytes: number; sha256: string }> {
  const snapshot = await qdrant.createShardSnapshot(name, shard);
  try {
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    await requireSpace(join(path, '..'), snapshot.size);
    const hashing = new HashingTransform();
    const body = await qdrant.downloadShardSnapshot(name, shard, snapshot.name);
    await pipeline(body, hashing, createWriteStream(path, { mode: 0o600 }));
    await syncFile(path);
    return { bytes: hashing.bytes, sha256: hashing.digest() };
  } finally {
    await qdrant.deleteShardSnapshot(name, shard, snapshot.name);
  }
}

async function requireSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < bytes * 1.05) {
    throw new DiskSpaceError(
      `Setting this site's own data aside takes ${bytes} bytes at ${folder}, ${bavail * bsize} are free. ` +
        'Make room; nothing was overwritten.',
    );
  }
}

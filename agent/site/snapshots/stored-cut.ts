/** What a cut becomes in a publish: each shard's snapshot a part, each collection an entry of the manifest. */
import type { CollectionDigest } from '../digest/digester';
import type { QdrantClient } from '../qdrant/client';
import { SnapshotUnfitError, type CutCollection, type CutShard } from './capture';
import type { ManifestCollection, ManifestShard } from './manifest';
import type { Digest, PartSource } from './parts';

/**
 * A shard's snapshot, which leaves Qdrant as soon as all of it has come.
 *
 * @throws SnapshotUnfitError when what came is not what Qdrant announced
 */
export function partOf(
  qdrant: QdrantClient,
  collection: string,
  { shard, snapshot, checksum, bytes }: CutShard,
  onTaken: () => Promise<void>,
): PartSource {
  const { shard_id: shardId } = shard;
  return {
    collection,
    shardId,
    bytes,
    open: () => qdrant.downloadShardSnapshot(collection, shardId, snapshot),
    taken: async (received) => {
      requireSame(`${collection}/${shardId}`, { bytes, checksum }, received);
      await qdrant.deleteShardSnapshot(collection, shardId, snapshot);
      await onTaken();
    },
  };
}

/** @param parts digests of what an apply will see, in the order of the cut's shards */
export function manifestCollection(
  cut: CutCollection,
  parts: readonly Digest[],
  digest: CollectionDigest | undefined,
): ManifestCollection {
  const { config, payload_schema: schema } = cut.info;
  return {
    name: cut.name,
    config: { ...config, params: { ...config.params } },
    aliases: [...cut.aliases],
    payloadSchema: Object.fromEntries(
      Object.entries(schema).map(([field, index]) => [
        field,
        { data_type: index.data_type, params: index.params },
      ]),
    ),
    shards: cut.shards.map(({ shard }, index): ManifestShard => {
      const part = parts[index];
      if (part === undefined) throw new TypeError(`${cut.name}/${shard.shard_id} was not stored`);
      return { shardId: shard.shard_id, key: shard.shard_key ?? null, ...part };
    }),
    pointsMin: cut.pointsMin,
    pointsMax: cut.pointsMax,
    samples: [...cut.samples],
    ...(digest === undefined ? {} : { digest }),
  };
}

function requireSame(
  shard: string,
  announced: { readonly bytes: number; readonly checksum: string | null },
  received: Digest,
): void {
  const { bytes, checksum } = announced;
  if (checksum !== null && checksum !== received.sha256) {
    throw new SnapshotUnfitError(
      `${shard}: Qdrant gave SHA-256 ${checksum} for its snapshot, ${received.sha256} came. Publish again.`,
    );
  }
  if (bytes !== received.bytes) {
    throw new SnapshotUnfitError(
      `${shard}: Qdrant's snapshot has ${bytes} bytes, ${received.bytes} came. Publish again.`,
    );
  }
}

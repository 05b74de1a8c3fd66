/** Snapshots that a publish cut in Qdrant and did not get to remove: a mark on disk tells them from those of others. */
import type { QdrantClient } from '../qdrant/client';
import type { Ledger } from '../state/ledger';
import { listShards, type ShardList } from './capture';

/** Those that are there before a publish, by `<collection>/<shard>`. */
export async function snapshotsNow(
  qdrant: QdrantClient,
  lists: readonly ShardList[],
): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const { name, shards } of lists) {
    for (const { shard_id: shard } of shards) {
      found[`${name}/${shard}`] = (await qdrant.listShardSnapshots(name, shard)).map(
        (snapshot) => snapshot.name,
      );
    }
  }
  return found;
}

/** Removes the snapshots that a publish left in Qdrant when it was cut short. */
export async function removeLeftovers(qdrant: QdrantClient, ledger: Ledger): Promise<void> {
  const marker = ledger.state.publishing;
  if (marker === null) return;
  for (const { name, shards } of await listShards(qdrant)) {
    for (const { shard_id: shard } of shards) {
      const preexisting = marker.preexisting[`${name}/${shard}`] ?? [];
      for (const snapshot of await qdrant.listShardSnapshots(name, shard)) {
        if (!preexisting.includes(snapshot.name))
          await qdrant.deleteShardSnapshot(name, shard, snapshot.name);
      }
    }
  }
  await ledger.update({ publishing: null });
}

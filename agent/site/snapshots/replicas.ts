/**
 * Where a site's Qdrant is a cluster: a shard is recovered on one node, and the others take it from there. Until they
 * have, losing that node would lose the shard.
 */
import { AgentError } from '../../shared/errors';
import type { QdrantClient } from '../qdrant/client';

export class ReplicasUnfitError extends AgentError {
  readonly code = 'REPLICAS_UNFIT';
}

export interface ReplicaPorts {
  readonly qdrant: Pick<QdrantClient, 'shards'>;
  readonly guard: () => void;
  readonly replicas?: number;
  readonly patienceMs?: number;
}

/** A big shard takes its time from node to node; one that makes no progress for so long never will. */
const PATIENCE_MS = 600_000;
const LOOK_MS = 250;

/** Resolves when every replica of the collection is active; at once on a site's only server. */
export async function replicasWhole(collection: string, ports: ReplicaPorts): Promise<void> {
  if (ports.replicas === undefined) return;
  const patienceMs = ports.patienceMs ?? PATIENCE_MS;
  const begun = process.hrtime.bigint();
  for (;;) {
    ports.guard();
    const states = await replicaStates(ports.qdrant, collection);
    const unfit = states.filter(({ state }) => state !== 'Active');
    if (unfit.length === 0) return;
    if (Number(process.hrtime.bigint() - begun) / 1e6 > patienceMs) {
      const listed = unfit.map(({ shard, state }) => `${shard} is ${state}`).join(', ');
      throw new ReplicasUnfitError(
        `${collection}: replicas did not become active within ${patienceMs / 1000} s: shard ${listed}. ` +
          "Look at `GET /collections/{collection}/cluster` on each of the site's servers.",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Has every shard copied to every node that lacks it: a collection may have been made with fewer replicas, or before the
 * site had as many servers. Only begins it; a shard that is on its way already is left alone.
 */
export async function spreadShards(qdrant: QdrantClient, replicas: number): Promise<void> {
  const peers = await qdrant.peers();
  if (peers.length < 2) return;
  for (const name of await qdrant.collectionNames()) {
    const { config } = await qdrant.collection(name);
    if (Number(config.params['replication_factor'] ?? 1) < replicas)
      await qdrant.updateCollection(name, { params: { replication_factor: replicas } });
    const { peer, local, remote } = await qdrant.shards(name);
    const holders = new Map<number, { node: number; state: string }[]>();
    for (const { shard_id: shard, state, node } of [
      ...local.map((shard) => ({ ...shard, node: peer })),
      ...remote.map((shard) => ({ ...shard, node: shard.peer_id })),
    ]) {
      holders.set(shard, [...(holders.get(shard) ?? []), { node, state }]);
    }
    for (const [shard, replicasOf] of holders) {
      const source = replicasOf.find(({ state }) => state === 'Active');
      if (source === undefined || replicasOf.length >= Math.min(replicas, peers.length)) continue;
      const target = peers.find((node) => !replicasOf.some((held) => held.node === node));
      if (target !== undefined) await qdrant.replicateShard(name, shard, source.node, target);
    }
  }
}

/** A collection of the time when the site had fewer servers; it is made anew. */
export async function hasTooFew(
  qdrant: Pick<QdrantClient, 'shards'>,
  collection: string,
  replicas: number | undefined,
): Promise<boolean> {
  if (replicas === undefined) return false;
  const counts = new Map<number, number>();
  for (const { shard } of await replicaStates(qdrant, collection))
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  return [...counts.values()].some((count) => count < replicas);
}

async function replicaStates(
  qdrant: Pick<QdrantClient, 'shards'>,
  collection: string,
): Promise<{ shard: number; state: string }[]> {
  const { local, remote } = await qdrant.shards(collection);
  return [...local, ...remote].map(({ shard_id: shard, state }) => ({ shard, state }));
}

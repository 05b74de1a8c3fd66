/**
 * Cuts the snapshots of every shard at one point in time: writes are held for a bounded moment, counted and sampled
 * before and after. When the bound passes first, writes go on and the counts become bounds.
 */
import { AgentError } from '../../shared/errors';
import type { WriteGate } from '../gateway/write-gate';
import type { SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import type { CollectionInfo, LocalShard } from '../qdrant/types';
import type { ManifestSample } from './manifest';
import { takeSamples, unchangedSamples } from './samples';

export class SnapshotUnfitError extends AgentError {
  readonly code = 'SNAPSHOT_UNFIT';
}

export interface CutShard {
  readonly shard: LocalShard;
  readonly snapshot: string;
  readonly bytes: number;
  readonly checksum: string | null;
}

export interface CutCollection {
  readonly name: string;
  readonly info: CollectionInfo;
  readonly aliases: readonly string[];
  readonly shards: readonly CutShard[];
  readonly pointsMin: number;
  readonly pointsMax: number;
  readonly samples: readonly ManifestSample[];
}

export interface Cut {
  readonly collections: readonly CutCollection[];
  /** Monotonic moment up to which every acknowledged write is in the snapshots. */
  readonly takenAtMs: number;
  readonly heldSeconds: number;
  readonly exact: boolean;
  /** Nothing was written from the moment of `atCut` until the last snapshot had been cut. */
  readonly still: boolean;
}

export interface CaptureOptions {
  readonly qdrant: QdrantClient;
  readonly gate: WriteGate;
  readonly clock: SiteClock;
  readonly names: SnapshotNames;
  readonly holdWritesSeconds: number;
  /** The last publish of a hand-over: writes that have not ended by the cut are never acknowledged. */
  readonly final: boolean;
  readonly step: (name: 'writes-held' | 'snapshots-cut') => Promise<void>;
  /** Called once no write is in flight, before the first snapshot is cut. */
  readonly atCut?: (withinMs: number) => Promise<void>;
}

export interface ShardList {
  readonly name: string;
  readonly shards: readonly LocalShard[];
}

/** Names have a resolution of one second: two snapshots of one shard in one second are one file. */
export class SnapshotNames {
  private readonly lastCutMs = new Map<string, number>();

  constructor(
    private readonly clock: SiteClock,
    private readonly resolutionMs = 1_100,
  ) {}

  cut(name: string, shard: LocalShard): void {
    this.lastCutMs.set(shardKey(name, shard), this.clock.monotonicMs());
  }

  /** Resolves when each shard's next snapshot is sure to get a name of its own. */
  async fresh(lists: readonly ShardList[]): Promise<void> {
    let latest = Number.NEGATIVE_INFINITY;
    for (const { name, shards } of lists) {
      for (const shard of shards)
        latest = Math.max(latest, this.lastCutMs.get(shardKey(name, shard)) ?? latest);
    }
    const waitMs = latest + this.resolutionMs - this.clock.monotonicMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** What there is to publish; shards that cannot be snapshotted soundly are refused. */
export async function listShards(qdrant: QdrantClient): Promise<ShardList[]> {
  const lists: ShardList[] = [];
  for (const name of await qdrant.collectionNames()) {
    const { local, remote } = await qdrant.shards(name);
    const here = new Set(local.map((shard) => shard.shard_id));
    const elsewhere = [...new Set(remote.map((shard) => shard.shard_id))].filter((id) => !here.has(id));
    if (elsewhere.length > 0) {
      throw new SnapshotUnfitError(
        `${name}: shards ${elsewhere.join(', ')} have no replica on this node, and a publish is made from one node. Replicate them here.`,
      );
    }
    const unfit = local.filter((shard) => shard.state !== 'Active');
    if (unfit.length > 0) {
      const states = unfit.map((shard) => `${shard.shard_id} is ${shard.state}`).join(', ');
      throw new SnapshotUnfitError(
        `${name}: every shard must be Active, but ${states}. Repair the collection first.`,
      );
    }
    lists.push({ name, shards: [...local].sort((a, b) => a.shard_id - b.shard_id) });
  }
  return lists;
}

export async function capture(options: CaptureOptions, expected: readonly ShardList[]): Promise<Cut> {
  const { gate, clock, holdWritesSeconds, qdrant } = options;
  await options.names.fresh(expected);
  // Finding known answers takes many questions; whether they still hold is asked again under the hold.
  const known = new Map<string, readonly ManifestSample[]>();
  for (const { name } of expected) {
    const { config } = await qdrant.collection(name);
    known.set(name, await takeSamples(qdrant, name, config));
  }
  const holdMs = holdWritesSeconds * 1000;
  const takenAtMs = clock.monotonicMs();
  const hold = gate.hold(holdMs, holdMs / 2);
  try {
    const drained = await hold.drained;
    if (options.final && !drained) gate.revokeInFlight();
    await options.step('writes-held');
    if (drained) await options.atCut?.(holdMs / 4);
    // In a hand-over the keeper refuses new writes for as long as it takes; else the hold alone keeps them out.
    const isHeld = (): boolean => options.final || (drained && hold.inForce);
    const collections = await cutAll(options, known, isHeld);
    const steady = isHeld();
    const heldSeconds = (clock.monotonicMs() - takenAtMs) / 1000;
    const exact = steady && collections.every((collection) => collection.pointsMin === collection.pointsMax);
    await options.step('snapshots-cut');
    return { collections, takenAtMs, heldSeconds, exact, still: drained && steady };
  } finally {
    hold.release();
  }
}

async function cutAll(
  options: CaptureOptions,
  known: ReadonlyMap<string, readonly ManifestSample[]>,
  isHeld: () => boolean,
): Promise<CutCollection[]> {
  const { qdrant, names } = options;
  const aliases = await qdrant.aliases();
  const collections: CutCollection[] = [];
  // Listed anew: a collection that was made a moment ago belongs to the data as well.
  for (const { name, shards } of await listShards(qdrant)) {
    const info = await qdrant.collection(name);
    const before = await qdrant.count(name);
    const cut: CutShard[] = [];
    for (const shard of shards) {
      const snapshot = await qdrant.createShardSnapshot(name, shard.shard_id);
      names.cut(name, shard);
      const checksum = snapshot.checksum ?? null;
      cut.push({ shard, snapshot: snapshot.name, bytes: snapshot.size, checksum });
    }
    const after = await qdrant.count(name);
    collections.push({
      name,
      info,
      aliases: aliases.filter((alias) => alias.collection_name === name).map((alias) => alias.alias_name),
      shards: cut,
      ...countBounds(before, after, isHeld()),
      samples: await unchangedSamples(qdrant, name, known.get(name) ?? []),
    });
  }
  return collections;
}

/**
 * With writes going on the count may have been beyond either reading when a shard was cut: the bounds are what was
 * seen, widened by what moved meanwhile or by one in a hundred, whichever is more.
 */
function countBounds(before: number, after: number, held: boolean): { pointsMin: number; pointsMax: number } {
  const low = Math.min(before, after);
  const high = Math.max(before, after);
  if (held) return { pointsMin: low, pointsMax: high };
  const slack = Math.max(high - low, Math.ceil(high / 100));
  return { pointsMin: Math.max(0, low - slack), pointsMax: high + slack };
}

function shardKey(name: string, shard: LocalShard): string {
  return `${name}/${shard.shard_id}`;
}

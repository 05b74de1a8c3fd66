/**
 * Publishing: snapshots of every shard to the store, then the manifest, then the pointer. Nothing that was published
 * before is touched until the pointer has moved, and it moves only under the epoch that the publish began with.
 */
import type { PublishInfo } from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { AgentError } from '../../shared/errors';
import { SkippedError, messageOf } from '../errors';
import type { Digester } from '../digest/digester';
import type { WriteGate } from '../gateway/write-gate';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import { anchorAge } from '../state/age';
import type { Ledger } from '../state/ledger';
import type { CollectionDigest } from '../digest/digester';
import {
  SnapshotNames,
  SnapshotUnfitError,
  capture,
  listShards,
  type Cut,
  type CutCollection,
  type CutShard,
  type ShardList,
} from './capture';
import { surplus } from './history';
import {
  newPublishId,
  publishInfo,
  type Manifest,
  type ManifestCollection,
  type ManifestShard,
} from './manifest';
import type { Digest, PartSource, PartStore } from './parts';
import { spreadShards } from './replicas';
import type { SnapshotStore } from './store';

/** Every point at which a publish may be cut short; tests stop at each. */
export const PUBLISH_STEPS = [
  'started',
  'marked',
  'writes-held',
  'snapshots-cut',
  'part-taken',
  'parts-stored',
  'manifest-stored',
  'pointer-moved',
  'recorded',
  'pruned',
] as const;
export type PublishStep = (typeof PUBLISH_STEPS)[number];

/** Removing old publishes reads the repository's whole index: not after each. */
const PRUNE_EVERY_MS = 3_600_000;

export class PublishConflictError extends AgentError {
  readonly code = 'PUBLISH_CONFLICT';
}

export interface PublisherOptions {
  readonly spec: Pick<SiteAgentSpec, 'site' | 'snapshots' | 'parity' | 'servers'>;
  readonly store: SnapshotStore;
  readonly parts: PartStore;
  readonly qdrant: QdrantClient;
  readonly gate: WriteGate;
  readonly keeper: Pick<KeeperPort, 'lease' | 'writableForSeconds'>;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  readonly agentVersion: string;
  /** Absent: publishes have no digests. */
  readonly digests?: Pick<Digester, 'prepare' | 'atCut' | 'finish' | 'note'>;
  readonly names?: SnapshotNames;
  readonly step?: (step: PublishStep) => Promise<void>;
}

export class Publisher {
  private acknowledged = 0;
  private acknowledgedAtCut = 0;

  private readonly names: SnapshotNames;
  private pruneAtMs = Number.NEGATIVE_INFINITY;
  private pruning: AbortController | null = null;

  constructor(private readonly options: PublisherOptions) {
    this.names = options.names ?? new SnapshotNames(options.clock);
  }

  /** A write was acknowledged to a client. */
  countWrite(): void {
    this.acknowledged += 1;
  }

  /** Since this process began. */
  get acknowledgedWrites(): number {
    return this.acknowledged;
  }

  /** Acknowledged writes that may be in no publish yet. */
  get unpublishedWrites(): number {
    return this.acknowledged - this.acknowledgedAtCut;
  }

  /** Somebody waits for a publish under way: what it still clears up can be cleared up later. */
  hurry(): void {
    this.pruning?.abort(new PublishConflictError('Pruning gives way to a switch; the next publish prunes.'));
    if (this.pruning !== null) this.pruneAtMs = Number.NEGATIVE_INFINITY;
  }

  /** @param final the last publish of a hand-over, made while the keeper refuses new writes */
  async publish(final = false): Promise<PublishInfo> {
    const { keeper, record } = this.options;
    const epoch = heldEpoch(keeper);
    if (epoch === null) {
      throw new SkippedError(
        'NOT_HOLDER',
        `${this.options.spec.site} does not hold the lease; only the holder publishes.`,
      );
    }
    const { rewinding } = this.options.ledger.state;
    if (rewinding !== null && (rewinding.kept !== null || !final)) {
      throw new SkippedError(
        'REWINDING',
        `${this.options.spec.site} is being brought back to ${rewinding.id}; what is here is not whole.`,
      );
    }
    try {
      const manifest = await this.run(epoch, final);
      const info = publishInfo(manifest);
      const held = `writes held for ${manifest.heldSeconds.toFixed(2)} s`;
      const counts = manifest.exact ? 'counts exact' : 'counts are bounds';
      record('published', `${info.id}: ${info.points} points, ${info.bytes} bytes, ${held}, ${counts}`);
      return info;
    } catch (error) {
      record('publish-failed', messageOf(error));
      await this.cleanAfterFailure();
      throw error;
    }
  }

  /** Removes the snapshots that a publish left in Qdrant when it was cut short. */
  async removeLeftovers(): Promise<void> {
    const { ledger, qdrant } = this.options;
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

  /** Snapshots are the size of the data: a failure must not leave them until the next publish. */
  private async cleanAfterFailure(): Promise<void> {
    try {
      await this.removeLeftovers();
    } catch (error) {
      this.options.record(
        'alert',
        `snapshots of a failed publish stay in Qdrant until the next one: ${messageOf(error)}`,
      );
    }
  }

  private async run(epoch: number, final: boolean): Promise<Manifest> {
    const { spec, store, qdrant, gate, ledger, clock } = this.options;
    await this.step('started');
    await this.removeLeftovers();
    const startedAt = clock.wallIso();
    const before = await store.readLatest();
    if (before !== null && before.pointer.epoch > epoch) {
      throw new PublishConflictError(
        `The latest publish has epoch ${before.pointer.epoch}, this site holds ${epoch}: an older holder must not publish.`,
      );
    }
    const id = newPublishId(epoch, startedAt, before?.pointer.publishId);
    const qdrantVersion = await qdrant.version();
    await this.spread();
    const lists = await listShards(qdrant);
    await ledger.update({ publishing: { id, preexisting: await snapshotsNow(qdrant, lists) } });
    await this.step('marked');
    await this.digesting((digests) => digests.prepare(epoch));
    let acknowledgedAtCut = this.acknowledged;
    const cut = await capture(
      {
        qdrant,
        gate,
        clock,
        names: this.names,
        final,
        holdWritesSeconds: spec.snapshots.holdWritesSeconds,
        step: async (name) => {
          if (name === 'writes-held') acknowledgedAtCut = this.acknowledged;
          await this.step(name);
        },
        atCut: (withinMs) => this.digesting((digests) => digests.atCut(withinMs)),
      },
      lists,
    );
    const { snapshot, collections } = await this.storeParts(id, cut);
    await this.removeLeftovers();
    await this.step('parts-stored');
    this.mustStillHold(epoch);
    const manifest: Manifest = {
      schemaVersion: 2,
      id,
      site: spec.site,
      epoch,
      basedOn: ledger.state.basedOn,
      startedAt,
      capturedSeconds: (clock.monotonicMs() - cut.takenAtMs) / 1000,
      heldSeconds: cut.heldSeconds,
      exact: cut.exact,
      snapshot,
      collections,
      versions: { agent: this.options.agentVersion, qdrant: qdrantVersion },
      parity: spec.parity,
    };
    await store.putManifest(manifest);
    await this.step('manifest-stored');
    this.mustStillHold(epoch);
    await this.digesting((digests) =>
      digests.note(
        id,
        manifest.collections.map(({ name }) => name),
      ),
    );
    await this.movePointer(manifest, before?.token ?? null);
    await this.step('pointer-moved');
    this.acknowledgedAtCut = acknowledgedAtCut;
    const info = publishInfo(manifest);
    await ledger.update({ published: { ...info, anchor: this.ageNow(cut) } });
    await this.step('recorded');
    await this.prune(epoch);
    await this.step('pruned');
    return manifest;
  }

  private async storeParts(
    id: string,
    cut: Cut,
  ): Promise<{ readonly snapshot: string; readonly collections: ManifestCollection[] }> {
    const sources = cut.collections.flatMap(({ name, shards }) =>
      shards.map((shard) => this.source(name, shard)),
    );
    const { snapshot, parts } = await this.options.parts.put(id, sources);
    const stored = [...parts];
    const collections: ManifestCollection[] = [];
    for (const collection of cut.collections) {
      const { name, pointsMin } = collection;
      const digest = await this.options.digests?.finish(id, name, pointsMin, cut.still);
      const collectionParts = stored.splice(0, collection.shards.length);
      collections.push(manifestCollection(collection, collectionParts, digest));
    }
    return { snapshot, collections };
  }

  /** While a server is away nothing can be spread, and nothing need be for a publish to be made. */
  private async spread(): Promise<void> {
    const { spec, qdrant, record } = this.options;
    if (spec.servers === undefined) return;
    try {
      await spreadShards(qdrant, spec.servers.replicas);
    } catch (error) {
      record('alert', `not every server gets a copy of every shard: ${messageOf(error)}`);
    }
  }

  /** A shard's snapshot, which leaves Qdrant as soon as all of it has come. */
  private source(name: string, { shard, snapshot, checksum, bytes }: CutShard): PartSource {
    const { qdrant } = this.options;
    const { shard_id: shardId } = shard;
    return {
      collection: name,
      shardId,
      bytes,
      open: () => qdrant.downloadShardSnapshot(name, shardId, snapshot),
      taken: async (received) => {
        requireSame(`${name}/${shardId}`, { bytes, checksum }, received);
        await qdrant.deleteShardSnapshot(name, shardId, snapshot);
        await this.step('part-taken');
      },
    };
  }

  /** A publish without a digest is worth more than none. */
  private async digesting(
    work: (digests: Pick<Digester, 'prepare' | 'atCut' | 'note'>) => Promise<void>,
  ): Promise<void> {
    if (this.options.digests === undefined) return;
    try {
      await work(this.options.digests);
    } catch (error) {
      this.options.record('alert', `this publish has no digest: ${messageOf(error)}`);
    }
  }

  private async movePointer(manifest: Manifest, token: string | null): Promise<void> {
    const { id: publishId, site, epoch } = manifest;
    const moved = await this.options.store.moveLatest({ publishId, site, epoch }, token);
    if (moved === 'conflict') {
      throw new PublishConflictError(
        `While ${publishId} was being made somebody else moved the pointer. Nothing was published; look who holds the lease.`,
      );
    }
  }

  private mustStillHold(epoch: number): void {
    const { keeper, spec } = this.options;
    if (heldEpoch(keeper) === epoch) return;
    throw new SkippedError(
      'NOT_HOLDER',
      `${spec.site} lost epoch ${epoch} while it was publishing; the previous publish stays the latest.`,
    );
  }

  private ageNow(cut: Cut): ReturnType<typeof anchorAge> {
    const { clock } = this.options;
    return anchorAge(clock, (clock.monotonicMs() - cut.takenAtMs) / 1000);
  }

  /** Own publishes only, and only while still the holder; a failure to prune is no failure to publish. */
  private async prune(epoch: number): Promise<void> {
    const { store, parts, spec, record, clock } = this.options;
    const now = clock.monotonicMs();
    if (now < this.pruneAtMs) return;
    this.pruneAtMs = now + PRUNE_EVERY_MS;
    const pruning = new AbortController();
    this.pruning = pruning;
    try {
      const ids = await store.listPublishes(spec.site);
      const latest = (await store.readLatest())?.pointer.publishId;
      const extra = surplus(ids, spec.snapshots.history).filter((id) => id !== latest);
      if (extra.length === 0) return;
      this.mustStillHold(epoch);
      // The manifest goes first: what is left of a removal that was cut short must not look like a publish.
      for (const id of extra) await store.removePublish(spec.site, id);
      await parts.retain(
        ids.filter((id) => !extra.includes(id)),
        pruning.signal,
      );
    } catch (error) {
      if (!pruning.signal.aborted) record('alert', `old publishes could not be removed: ${messageOf(error)}`);
    } finally {
      this.pruning = null;
    }
  }

  private async step(step: PublishStep): Promise<void> {
    await this.options.step?.(step);
  }
}

async function snapshotsNow(
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

function manifestCollection(
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

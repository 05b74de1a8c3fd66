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
import {
  SnapshotNames,
  SnapshotUnfitError,
  capture,
  listShards,
  type Cut,
  type CutCollection,
  type ShardList,
} from './capture';
import {
  newPublishId,
  publishInfo,
  type Manifest,
  type ManifestCollection,
  type ManifestShard,
} from './manifest';
import type { SnapshotStore } from './store';

/** Every point at which a publish may be cut short; tests stop at each. */
export const PUBLISH_STEPS = [
  'started',
  'marked',
  'writes-held',
  'snapshots-cut',
  'part-stored',
  'local-snapshots-removed',
  'manifest-stored',
  'pointer-moved',
  'recorded',
  'pruned',
] as const;
export type PublishStep = (typeof PUBLISH_STEPS)[number];

export class PublishConflictError extends AgentError {
  readonly code = 'PUBLISH_CONFLICT';
}

export interface PublisherOptions {
  readonly spec: Pick<SiteAgentSpec, 'site' | 'snapshots' | 'parity'>;
  readonly store: SnapshotStore;
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
    const collections: ManifestCollection[] = [];
    for (const collection of cut.collections)
      collections.push(await this.storeCollection(id, collection, cut.still));
    await this.removeLeftovers();
    await this.step('local-snapshots-removed');
    this.mustStillHold(epoch);
    const manifest: Manifest = {
      schemaVersion: 1,
      id,
      site: spec.site,
      epoch,
      basedOn: ledger.state.basedOn,
      startedAt,
      capturedSeconds: (clock.monotonicMs() - cut.takenAtMs) / 1000,
      heldSeconds: cut.heldSeconds,
      exact: cut.exact,
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
    await this.prune(id);
    await this.step('pruned');
    return manifest;
  }

  private async storeCollection(id: string, cut: CutCollection, still: boolean): Promise<ManifestCollection> {
    const { spec, store, qdrant } = this.options;
    const shards: ManifestShard[] = [];
    for (const { shard, snapshot, checksum, bytes } of cut.shards) {
      const ref = { site: spec.site, publishId: id, collection: cut.name, shardId: shard.shard_id };
      const body = await qdrant.downloadShardSnapshot(cut.name, shard.shard_id, snapshot);
      const stored = await store.putPart(ref, body);
      if (checksum !== null && checksum !== stored.sha256) {
        throw new SnapshotUnfitError(
          `${cut.name}/${shard.shard_id}: Qdrant gave SHA-256 ${checksum} for its snapshot, ${stored.sha256} came. Publish again.`,
        );
      }
      if (stored.bytes !== bytes) {
        throw new SnapshotUnfitError(
          `${cut.name}/${shard.shard_id}: Qdrant's snapshot has ${bytes} bytes, ${stored.bytes} came. Publish again.`,
        );
      }
      shards.push({ shardId: shard.shard_id, key: shard.shard_key ?? null, ...stored });
      await this.step('part-stored');
    }
    const digest = await this.options.digests?.finish(id, cut.name, cut.pointsMin, still);
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
      shards,
      pointsMin: cut.pointsMin,
      pointsMax: cut.pointsMax,
      samples: [...cut.samples],
      ...(digest === undefined ? {} : { digest }),
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

  /** Own publishes only; a failure to prune is no failure to publish. */
  private async prune(current: string): Promise<void> {
    const { store, spec, record } = this.options;
    try {
      const ids = await store.listPublishes(spec.site);
      const others = ids.filter((id) => id !== current);
      const surplus = others.slice(0, Math.max(0, others.length - (spec.snapshots.retain - 1)));
      for (const id of surplus) await store.removePublish(spec.site, id);
    } catch (error) {
      record('alert', `old publishes could not be removed: ${messageOf(error)}`);
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

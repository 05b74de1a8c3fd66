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
import { SnapshotNames, capture, listShards, type Cut } from './capture';
import { removeLeftovers, snapshotsNow } from './leftovers';
import { newPublishId, publishInfo, type Manifest, type ManifestCollection } from './manifest';
import type { PartStore } from './parts';
import { Pruner } from './pruner';
import { spreadShards } from './replicas';
import type { SnapshotStore } from './store';
import { manifestCollection, partOf } from './stored-cut';

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
  private readonly pruner: Pruner;

  constructor(private readonly options: PublisherOptions) {
    this.names = options.names ?? new SnapshotNames(options.clock);
    this.pruner = new Pruner(options);
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
    this.pruner.hurry();
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

  removeLeftovers(): Promise<void> {
    return removeLeftovers(this.options.qdrant, this.options.ledger);
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
    await this.pruner.prune(() => this.mustStillHold(epoch));
    await this.step('pruned');
    return manifest;
  }

  private async storeParts(
    id: string,
    cut: Cut,
  ): Promise<{ readonly snapshot: string; readonly collections: ManifestCollection[] }> {
    const sources = cut.collections.flatMap(({ name, shards }) =>
      shards.map((shard) => partOf(this.options.qdrant, name, shard, () => this.step('part-taken'))),
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

  private async step(step: PublishStep): Promise<void> {
    await this.options.step?.(step);
  }
}

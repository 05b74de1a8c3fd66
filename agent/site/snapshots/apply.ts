/**
 * Applying: the holder's latest publish into this site's Qdrant. Everything is fetched and checked before anything is
 * touched; from the first touch until the result is verified a marker on disk says that the data cannot be trusted.
 */
import type { PublishInfo } from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { AgentError } from '../../shared/errors';
import type { DigestCheck } from '../digest/digest-check';
import { DivergedExporter, describeCounts } from '../diverged/export';
import { SkippedError, messageOf } from '../errors';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import { UNKNOWN_AGE, anchorAge, type AgeAnchor } from '../state/age';
import type { Ledger } from '../state/ledger';
import { mayApply, mayApplyPublish, type ApplyFacts } from './apply-rules';
import { publishInfo, type Manifest } from './manifest';
import type { PartStore } from './parts';
import { RESTORE_STEPS, restore, type RestorePorts, type RestoreStep } from './restore';
import { setAsideLocalData } from './set-aside';
import type { Staging } from './staging';
import { SnapshotStoreUnreachableError, type LatestPointer, type SnapshotStore } from './store';

/** Every point at which an apply may be cut short; tests stop at each. */
export const APPLY_STEPS = [
  'started',
  'manifest-read',
  'part-fetched',
  'staged',
  'set-aside',
  'marked',
  ...RESTORE_STEPS,
  'recorded',
  'cleaned',
] as const;
export type ApplyStep = (typeof APPLY_STEPS)[number];

export class QdrantVersionError extends AgentError {
  readonly code = 'QDRANT_VERSION';
}

export class ApplyInterruptedError extends AgentError {
  readonly code = 'APPLY_INTERRUPTED';
}

export interface ApplyRequest {
  /** Exactly this publish, which must be the latest. */
  readonly publishId?: string;
  /** An operator wants a fenced or empty site to be overwritten. */
  readonly reprotect?: boolean;
  /** What is here may exist nowhere else: it is copied away first. */
  readonly setAside?: boolean;
}

export interface ApplierOptions {
  readonly spec: Pick<SiteAgentSpec, 'site' | 'servers'>;
  readonly store: SnapshotStore;
  readonly parts: PartStore;
  readonly qdrant: QdrantClient;
  readonly staging: Staging;
  readonly keeper: Pick<KeeperPort, 'lease' | 'state' | 'writableForSeconds'>;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  /** A claim of the lease may be under way: what is here may be the service's data in a moment. */
  readonly claimPending: () => boolean;
  /** Told what the publisher was when it published. */
  readonly learnParity: (parity: Manifest['parity']) => Promise<void>;
  /** Absent: what was restored is judged by counts and known answers alone. */
  readonly digests?: Pick<DigestCheck, 'stop' | 'verify'>;
  /** Where this site's tables of its own publishes are. */
  readonly digestFolder: string;
  /** Folder for data that was set aside. */
  readonly divergedFolder: string;
  readonly step?: (step: ApplyStep) => Promise<void>;
}

interface Found {
  readonly manifest: Manifest;
  /** Age of the publish's data, by the store's clock and then ours. */
  readonly anchor: AgeAnchor;
}

export class Applier {
  private touching = false;
  private stopReason: string | null = null;
  /** Ends a fetch under way at once: a store that does not answer must not hold anybody up. */
  private fetching: AbortController | null = null;
  /** A publish that was restored and found wanting: trying it again would only disturb Qdrant. */
  private refused: { readonly id: string; readonly message: string } | null = null;

  constructor(private readonly options: ApplierOptions) {}

  /** True while Qdrant's data is being replaced. */
  get isTouching(): boolean {
    return this.touching;
  }

  /** An apply under way ends at its next step, a fetch at once; the marker stays. */
  stop(reason: string): void {
    this.stopReason = reason;
    this.fetching?.abort(new ApplyInterruptedError(`Stopped fetching: ${reason}.`));
  }

  /**
   * For a promotion: what is only being fetched ends. What is being put into Qdrant goes on, since going back to the last
   * good publish would take as long as finishing this one.
   */
  stopUnlessTouching(reason: string): void {
    if (!this.touching) this.stop(reason);
  }

  allow(): void {
    this.stopReason = null;
  }

  async apply(request: ApplyRequest = {}): Promise<PublishInfo> {
    const { record } = this.options;
    try {
      const info = await this.run(request);
      record('applied', `${info.id}: ${info.points} points, ${info.bytes} bytes, verified`);
      return info;
    } catch (error) {
      if (!(error instanceof SkippedError)) record('apply-failed', messageOf(error));
      throw error;
    }
  }

  private async run(request: ApplyRequest): Promise<PublishInfo> {
    const { ledger, staging, parts } = this.options;
    const reprotect = request.reprotect ?? false;
    await this.step('started');
    skipIf(mayApply(this.facts(reprotect)));
    const found = await this.find(request, reprotect);
    const { manifest } = found;
    await this.step('manifest-read');
    await this.requireVersion(manifest);
    await staging.sweep();
    await staging.keepOnly([ledger.state.lastGood, manifest.id]);
    await staging.requireSpace(manifest, parts);
    await this.fetch(manifest);
    await staging.verify(manifest);
    await this.step('staged');
    const guard = this.guard(manifest, reprotect);
    guard();
    if (request.setAside === true) await this.setAside(manifest);
    await this.options.digests?.stop();
    this.touching = true;
    try {
      guard();
      const { id, site, epoch } = manifest;
      await ledger.update({ applying: { id, site, epoch } });
      await this.step('marked');
      try {
        await restore(
          manifest,
          this.restorePorts(guard, (step) => this.step(step)),
        );
        await this.options.digests?.verify(manifest);
      } catch (error) {
        await this.goBack(found, guard, error);
        throw error;
      }
      const info = publishInfo(manifest);
      await ledger.update({
        applied: { ...info, anchor: found.anchor, via: 'apply' },
        applying: null,
        rewinding: null,
        lastGood: manifest.id,
      });
      await this.step('recorded');
      await staging.keepOnly([manifest.id]);
      await this.step('cleaned');
      return info;
    } finally {
      this.touching = false;
    }
  }

  private async fetch(manifest: Manifest): Promise<void> {
    const { staging, parts } = this.options;
    const fetching = new AbortController();
    if (this.stopReason !== null)
      fetching.abort(new ApplyInterruptedError(`Stopped fetching: ${this.stopReason}.`));
    this.fetching = fetching;
    try {
      await staging.fetch(manifest, parts, () => this.step('part-fetched'), fetching.signal);
    } finally {
      this.fetching = null;
    }
  }

  /** The latest publish; without a store, the one that was being applied when the agent was killed. */
  private async find(request: ApplyRequest, reprotect: boolean): Promise<Found> {
    try {
      return await this.findInStore(request, reprotect);
    } catch (error) {
      const { applying } = this.options.ledger.state;
      if (!(error instanceof SnapshotStoreUnreachableError) || applying === null) throw error;
      const staged = await this.options.staging.manifest(applying.id);
      if (staged === null) throw error;
      skipIf(mayApplyPublish(this.facts(reprotect), pointerOf(staged)));
      // The age cannot be told without the store; it is read again as soon as the store answers.
      return { manifest: staged, anchor: UNKNOWN_AGE };
    }
  }

  private async findInStore(request: ApplyRequest, reprotect: boolean): Promise<Found> {
    const { store, clock } = this.options;
    const latest = await store.readLatest();
    if (latest === null) throw new SkippedError('NOTHING_PUBLISHED', 'No site has published yet.');
    const { pointer } = latest;
    skipIf(mayApplyPublish(this.facts(reprotect), pointer));
    if (request.publishId !== undefined && request.publishId !== pointer.publishId) {
      throw new SkippedError(
        'NOT_LATEST',
        `${request.publishId} was asked for, the latest publish is ${pointer.publishId}.`,
      );
    }
    this.refuseKnown(pointer);
    const { manifest, ageSeconds } = await store.readManifest(pointer.site, pointer.publishId);
    const anchor =
      ageSeconds === null ? UNKNOWN_AGE : anchorAge(clock, ageSeconds + manifest.capturedSeconds);
    skipIf(mayApplyPublish(this.facts(reprotect), pointerOf(manifest)));
    await this.options.learnParity(manifest.parity);
    return { manifest, anchor };
  }

  private refuseKnown(pointer: LatestPointer): void {
    const { applied, applying } = this.options.ledger.state;
    if (applied !== null && applying === null && applied.epoch === pointer.epoch) {
      if (applied.id === pointer.publishId) {
        throw new SkippedError('ALREADY_APPLIED', `${pointer.publishId} is here already, verified.`);
      }
      if (pointer.publishId < applied.id) {
        throw new SkippedError(
          'OLDER',
          `The latest publish ${pointer.publishId} is older than ${applied.id}, which is here.`,
        );
      }
    }
    if (this.refused?.id === pointer.publishId) {
      throw new SkippedError('REFUSED_BEFORE', `${this.refused.message} Waiting for the next publish.`);
    }
  }

  private async requireVersion(manifest: Manifest): Promise<void> {
    const here = await this.options.qdrant.version();
    if (here === manifest.versions.qdrant) return;
    throw new QdrantVersionError(
      `${manifest.id} was made by Qdrant ${manifest.versions.qdrant}, here is ${here}. Both sites must run the same version.`,
    );
  }

  private guard(manifest: Manifest, reprotect: boolean): () => void {
    return () => {
      if (this.stopReason !== null) {
        throw new ApplyInterruptedError(`Stopped applying ${manifest.id}: ${this.stopReason}.`);
      }
      const refusal = mayApplyPublish(this.facts(reprotect), pointerOf(manifest));
      if (refusal !== null)
        throw new ApplyInterruptedError(`Stopped applying ${manifest.id}: ${refusal.message}`);
    };
  }

  private facts(reprotect: boolean): ApplyFacts {
    const { spec, keeper } = this.options;
    return {
      self: spec.site,
      heldEpoch: heldEpoch(keeper),
      lease: keeper.lease(),
      state: keeper.state(),
      claimPending: this.options.claimPending(),
      reprotect,
    };
  }

  private async setAside({ epoch, basedOn }: Manifest): Promise<void> {
    const { ledger, qdrant, clock, divergedFolder, digestFolder, record } = this.options;
    const { setAside } = ledger.state;
    if (setAside.some((kept) => kept.epoch === epoch)) return;
    if ((await qdrant.collectionNames()).length === 0) return;
    const kept = await setAsideLocalData(qdrant, clock, divergedFolder, epoch);
    const diverged = await DivergedExporter.export(qdrant, digestFolder, basedOn ?? null, kept.folder);
    const entry = { epoch, folder: kept.folder, at: clock.wallIso(), ...diverged, merged: null };
    await ledger.update({ setAside: [...setAside, entry] });
    record(
      'switch-step',
      `own data set aside: ${kept.collections} collections, ${kept.bytes} bytes in ${kept.folder}; ${describeCounts(diverged.counts)}`,
    );
    await this.step('set-aside');
  }

  private restorePorts(guard: () => void, step: (step: RestoreStep) => Promise<void>): RestorePorts {
    const { qdrant, staging, spec } = this.options;
    const { servers } = spec;
    return { qdrant, staging, guard, step, ...(servers === undefined ? {} : { replicas: servers.replicas }) };
  }

  /** The last good publish comes back, whole and verified, or the marker stays. */
  private async goBack(found: Found, guard: () => void, cause: unknown): Promise<void> {
    const { ledger, staging, record } = this.options;
    if (cause instanceof ApplyInterruptedError) return;
    const { applied, lastGood } = ledger.state;
    if (lastGood === null || applied?.id !== lastGood || lastGood === found.manifest.id) return;
    try {
      const good = await staging.manifest(lastGood);
      if (good === null) return;
      await staging.verify(good);
      // Its epoch may be over; it was verified here under its own, and the lease's direction still has to hold.
      guard();
      await restore(
        good,
        this.restorePorts(guard, () => Promise.resolve()),
      );
      await ledger.update({ applying: null });
      this.refused = { id: found.manifest.id, message: messageOf(cause) };
      record('alert', `went back to ${lastGood} after ${found.manifest.id} could not be applied`);
    } catch (error) {
      record(
        'alert',
        `could not go back to ${lastGood} either; this site's data is not verified: ${messageOf(error)}`,
      );
    }
  }

  private async step(step: ApplyStep): Promise<void> {
    await this.options.step?.(step);
  }
}

function pointerOf(manifest: Manifest): LatestPointer {
  return { publishId: manifest.id, site: manifest.site, epoch: manifest.epoch };
}

function skipIf(reason: { code: string; message: string } | null): void {
  if (reason !== null) throw new SkippedError(reason.code, reason.message);
}

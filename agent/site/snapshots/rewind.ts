/**
 * Brings the service's data back to an earlier publish, on the site that holds the lease. What is there before is published
 * first, with writes refused, so it can be brought back as well; then the earlier one is put into Qdrant and verified; then
 * it is published, and the standby follows as always. From the mark on disk until the end no write is let in and nothing is
 * published that may be half of one and half of the other.
 */
import type { PublishInfo, RestoreRequest } from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { AgentError } from '../../shared/errors';
import { SkippedError, messageOf } from '../errors';
import { heldEpoch, type KeeperPort, type RecordEvent } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import type { Ledger } from '../state/ledger';
import { catalogue, choose } from './catalogue';
import { publishInfo, type Manifest } from './manifest';
import type { PartStore } from './parts';
import type { Publisher } from './publish';
import { restore, type RestoreStep } from './restore';
import type { Staging } from './staging';
import type { SnapshotStore } from './store';

/** Every point at which it may be cut short; tests stop at each. */
export const REWIND_STEPS = ['fetched', 'writes-refused', 'kept', 'touched', 'verified', 'ended'] as const;
export type RewindStep = (typeof REWIND_STEPS)[number];

export class RewindInterruptedError extends AgentError {
  readonly code = 'REWIND_INTERRUPTED';
}

export interface RewinderOptions {
  readonly spec: Pick<SiteAgentSpec, 'site' | 'peer' | 'servers'>;
  readonly store: SnapshotStore;
  readonly parts: PartStore;
  readonly qdrant: QdrantClient;
  readonly staging: Staging;
  readonly keeper: Pick<KeeperPort, 'lease' | 'writableForSeconds'>;
  readonly ledger: Ledger;
  readonly publisher: Pick<Publisher, 'publish'>;
  readonly record: RecordEvent;
  /** Told which collections were replaced past the gateway: what was known of their points holds no more. */
  readonly replaced?: (collections: readonly string[]) => void;
  readonly step?: (step: RewindStep) => Promise<void>;
}

export class Rewinder {
  constructor(private readonly options: RewinderOptions) {}

  /** True from the moment at which writes are refused until the data is whole again. */
  get isUnderWay(): boolean {
    return this.options.ledger.state.rewinding !== null;
  }

  async rewind({ at, by, reason }: RestoreRequest): Promise<PublishInfo> {
    const { spec, store, ledger, publisher, record } = this.options;
    this.requireHolder();
    const chosen = choose(await catalogue(store, [spec.site, spec.peer.site]), at);
    record('switch-step', `${by} asked for the data of ${chosen.id}: ${reason}`);
    const manifest = await this.stage(chosen.site, chosen.id);
    await this.step('fetched');
    const { id, site } = manifest;
    const kept = ledger.state.rewinding?.kept ?? null;
    await ledger.update({ rewinding: { id, site, by, reason, kept } });
    await this.step('writes-refused');
    if (kept === null) {
      try {
        const before = await publisher.publish(true);
        await ledger.update({ rewinding: { id, site, by, reason, kept: before.id } });
      } catch (error) {
        await ledger.update({ rewinding: null });
        throw error;
      }
    }
    await this.step('kept');
    return this.finish(manifest);
  }

  /** After a restart: what was cut short is done again from the start, or was never begun. */
  async resume(): Promise<PublishInfo | null> {
    const { ledger, record } = this.options;
    const { rewinding } = ledger.state;
    if (rewinding === null) return null;
    this.requireHolder();
    if (rewinding.kept === null) {
      await ledger.update({ rewinding: null });
      record('alert', `bringing back ${rewinding.id} was cut short before anything was touched; ask again`);
      return null;
    }
    return this.finish(await this.stage(rewinding.site, rewinding.id));
  }

  private async finish(manifest: Manifest): Promise<PublishInfo> {
    const { ledger, publisher, record } = this.options;
    const { by, reason, kept } = ledger.state.rewinding ?? {};
    await this.put(manifest).catch(async (error: unknown) => {
      await this.goBack(error);
      throw error;
    });
    await ledger.update({ rewinding: null });
    record(
      'switch-step',
      `the data is that of ${manifest.id} again (${by}: ${reason}); before it was ${kept}`,
    );
    await this.step('ended');
    try {
      return await publisher.publish();
    } catch (error) {
      record('alert', `the data that was brought back is not published yet: ${messageOf(error)}`);
      return publishInfo(manifest);
    }
  }

  /** To what was there before, whole and verified; else the mark stays, and with it writes stay refused. */
  private async goBack(cause: unknown): Promise<void> {
    const { spec, ledger, record } = this.options;
    const kept = ledger.state.rewinding?.kept ?? null;
    if (cause instanceof RewindInterruptedError || kept === null) return;
    try {
      await this.put(await this.stage(spec.site, kept));
      await ledger.update({ rewinding: null });
      record('alert', `went back to ${kept}: ${messageOf(cause)}`);
    } catch (error) {
      record('alert', `could not go back to ${kept} either; writes stay refused: ${messageOf(error)}`);
    }
  }

  private async stage(site: string, id: string): Promise<Manifest> {
    const { store, parts, staging, qdrant } = this.options;
    const { manifest } = await store.readManifest(site, id);
    const here = await qdrant.version();
    if (here !== manifest.versions.qdrant) {
      throw new SkippedError(
        'QDRANT_VERSION',
        `${id} was made by Qdrant ${manifest.versions.qdrant}, here is ${here}: restore it with that version.`,
      );
    }
    await staging.sweep();
    await staging.keepOnly([id]);
    await staging.requireSpace(manifest, parts);
    await staging.fetch(manifest, parts, () => Promise.resolve());
    await staging.verify(manifest);
    return manifest;
  }

  private async put(manifest: Manifest): Promise<void> {
    const { qdrant, staging, spec } = this.options;
    const epoch = this.requireHolder();
    const guard = (): void => {
      if (heldEpoch(this.options.keeper) !== epoch)
        throw new RewindInterruptedError(
          'The lease was lost: this site’s data is whoever holds it to judge.',
        );
    };
    const step = async (name: RestoreStep): Promise<void> => {
      if (name === 'collection-ready') await this.step('touched');
    };
    // Before the first touch: one that is cut short has replaced some of them.
    this.options.replaced?.(manifest.collections.map(({ name }) => name));
    const replicas = spec.servers === undefined ? {} : { replicas: spec.servers.replicas };
    await restore(manifest, { qdrant, staging, guard, step, ...replicas });
    await this.step('verified');
  }

  private requireHolder(): number {
    const epoch = heldEpoch(this.options.keeper);
    if (epoch !== null) return epoch;
    throw new SkippedError(
      'NOT_HOLDER',
      `${this.options.spec.site} does not hold the lease; ask the site that does: its data is the service's.`,
    );
  }

  private async step(step: RewindStep): Promise<void> {
    await this.options.step?.(step);
  }
}

/** Removes the publishes that the history has no place for, and what only they needed. */
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { messageOf } from '../errors';
import type { RecordEvent, SiteClock } from '../ports';
import { surplus } from './history';
import type { PartStore } from './parts';
import type { SnapshotStore } from './store';

/** Removing old publishes reads the repository's whole index: not after each. */
const PRUNE_EVERY_MS = 3_600_000;

export interface PrunerOptions {
  readonly spec: Pick<SiteAgentSpec, 'site' | 'snapshots'>;
  readonly store: SnapshotStore;
  readonly parts: PartStore;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
}

export class Pruner {
  private nextAtMs = Number.NEGATIVE_INFINITY;
  private pruning: AbortController | null = null;

  constructor(private readonly options: PrunerOptions) {}

  /** Cuts a pruning under way short; the next publish prunes. */
  hurry(): void {
    if (this.pruning === null) return;
    this.pruning.abort(new DOMException('Pruning gives way to a switch.', 'AbortError'));
    this.nextAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * Own publishes only, and only while still the holder; a failure to prune is no failure to publish.
   *
   * @param mustStillHold throws when this site is the holder no more
   */
  async prune(mustStillHold: () => void): Promise<void> {
    const { store, parts, spec, record, clock } = this.options;
    const now = clock.monotonicMs();
    if (now < this.nextAtMs) return;
    this.nextAtMs = now + PRUNE_EVERY_MS;
    const pruning = new AbortController();
    this.pruning = pruning;
    try {
      const ids = await store.listPublishes(spec.site);
      const latest = (await store.readLatest())?.pointer.publishId;
      const extra = surplus(ids, spec.snapshots.history).filter((id) => id !== latest);
      if (extra.length === 0) return;
      mustStillHold();
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
}

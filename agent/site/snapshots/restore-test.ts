/**
 * Can what the store has be brought back? A publish of the history and one of its collections, drawn at random, are fetched
 * from the store afresh, put into a collection of the agent's own beside the data, compared with the manifest and its
 * digest, and removed again. Only on the site that does not hold the lease, which stays promotable meanwhile and breaks the
 * test off at once for anything that matters more.
 */
import { freemem } from 'node:os';
import {
  HEARTBEAT_COLLECTION,
  SCRATCH_COLLECTION,
  type RestoreTestStatus,
  type RestoreTestVerdict,
} from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { compareDigests } from '../digest/compare';
import { SkippedError, messageOf } from '../errors';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from '../ports';
import { QdrantUnreachableError, type QdrantClient } from '../qdrant/client';
import { wallAgeSeconds } from '../state/age';
import type { Ledger } from '../state/ledger';
import { catalogue } from './catalogue';
import type { Manifest, ManifestCollection } from './manifest';
import type { PartStore } from './parts';
import { compareCollection, restoreCollection } from './restore';
import type { Staging } from './staging';
import { SnapshotStoreUnreachableError, type SnapshotStore } from './store';
import { size } from './transfers';

/** Every point at which a test may be cut short; tests of it stop at each. */
export const RESTORE_TEST_STEPS = ['chosen', 'fetched', 'restored', 'compared'] as const;
export type RestoreTestStep = (typeof RESTORE_TEST_STEPS)[number];

/** A test may take this part of the RPO: nothing is applied meanwhile. */
const RPO_SHARE = 1 / 4;
/** After one that failed the next comes sooner, by this part of the interval. */
const RETRY_SHARE = 1 / 24;
/** Qdrant holds a recovered shard in memory as well as what it unpacked it from in the page cache. */
const MEMORY_FACTOR = 2;

export interface RestoreTesterOptions {
  readonly spec: Pick<SiteAgentSpec, 'site' | 'peer' | 'servers' | 'snapshots'>;
  readonly store: SnapshotStore;
  readonly parts: Pick<PartStore, 'fetchAfresh'>;
  readonly qdrant: QdrantClient;
  /** A folder of its own. */
  readonly staging: Staging;
  readonly keeper: Pick<KeeperPort, 'lease' | 'state' | 'writableForSeconds'>;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  /** From 0 up to 1. */
  readonly random?: () => number;
  readonly freeMemoryBytes?: () => number;
  readonly step?: (step: RestoreTestStep) => Promise<void>;
}

interface Chosen {
  readonly manifest: Manifest;
  readonly collection: ManifestCollection;
  /** What could not be tested here, and why. */
  readonly leftOut: readonly string[];
}

interface Findings {
  /** Any of them is a failure. */
  readonly findings: readonly string[];
  readonly notes: readonly string[];
}

export class RestoreTester {
  private running: AbortController | null = null;
  private cleaning: Promise<void> = Promise.resolve();

  constructor(private readonly options: RestoreTesterOptions) {}

  /** False where none is wanted, where the site is the holder's, and until the interval is over. */
  isDue(): boolean {
    const { ledger, spec, keeper } = this.options;
    const intervalSeconds = spec.snapshots.restoreTestIntervalHours * 3600;
    if (intervalSeconds === 0 || keeper.state() !== 'standby' || ledger.state.applied === null) return false;
    const { verdict, ageSeconds } = this.status();
    const waitSeconds = verdict?.result === 'failed' ? intervalSeconds * RETRY_SHARE : intervalSeconds;
    return ageSeconds === null || ageSeconds >= waitSeconds;
  }

  /** A site that has never tested counts from when it first could have. */
  async beginToWait(): Promise<void> {
    const { ledger, clock } = this.options;
    if (ledger.state.restoreTest === null)
      await ledger.update({ restoreTest: { since: clock.wallIso(), verdict: null } });
  }

  status(): RestoreTestStatus {
    const { ledger, clock } = this.options;
    const { restoreTest } = ledger.state;
    if (restoreTest === null) return { verdict: null, ageSeconds: 0 };
    return { verdict: restoreTest.verdict, ageSeconds: wallAgeSeconds(restoreTest.since, clock) };
  }

  /** A test under way ends at once; what it left is removed behind its back. */
  stop(reason: string): void {
    this.running?.abort(
      new SkippedError('RESTORE_TEST_STOPPED', `The restore test was broken off: ${reason}.`),
    );
  }

  /** Removes what a test that was killed may have left. */
  async clean(): Promise<void> {
    await this.cleaning;
    await this.remove();
  }

  /**
   * @throws SkippedError when there is nothing to test, when this site may not, or when it was stopped; and when store or
   *   Qdrant do not answer, which is no verdict on what is stored
   */
  async test(): Promise<RestoreTestVerdict> {
    const { clock, ledger, record, spec } = this.options;
    await this.clean();
    const startedMs = clock.monotonicMs();
    const control = new AbortController();
    this.running = control;
    const boundSeconds = spec.snapshots.rpoSeconds * RPO_SHARE;
    const late = setTimeout(
      () => control.abort(new Error(`not done within ${boundSeconds} s, a quarter of the RPO`)),
      boundSeconds * 1000,
    );
    try {
      this.requireStandby();
      const chosen = await unlessAborted(control.signal, this.choose());
      const { findings, notes } = await this.judge(chosen, control.signal);
      const { manifest, collection, leftOut } = chosen;
      const verdict: RestoreTestVerdict = {
        publishId: manifest.id,
        collection: collection.name,
        result: findings.length === 0 ? 'passed' : 'failed',
        details: [...findings, ...notes, ...leftOut],
        points: collection.pointsMax,
        bytes: bytesOf(collection),
        seconds: (clock.monotonicMs() - startedMs) / 1000,
      };
      await ledger.update({ restoreTest: { since: clock.wallIso(), verdict } });
      if (verdict.result === 'failed')
        record('alert', `${manifest.id} could not be restored in a test: ${findings.join('; ')}`);
      else
        record('restore-tested', `${collection.name} of ${manifest.id}: ${verdict.points} points are whole`);
      return verdict;
    } finally {
      clearTimeout(late);
      this.running = null;
      this.cleaning = this.removeTraces();
    }
  }

  private async judge(chosen: Chosen, signal: AbortSignal): Promise<Findings> {
    try {
      // Qdrant goes on with a recovery that nobody waits for any more; a promotion must not wait for it.
      return await unlessAborted(signal, this.restore(chosen, signal));
    } catch (error) {
      const noVerdict =
        error instanceof SkippedError ||
        error instanceof SnapshotStoreUnreachableError ||
        error instanceof QdrantUnreachableError;
      if (noVerdict) throw error;
      return { findings: [messageOf(error)], notes: [] };
    }
  }

  private async restore({ manifest, collection }: Chosen, signal: AbortSignal): Promise<Findings> {
    const { qdrant, parts, staging, spec } = this.options;
    const guard = (): void => {
      signal.throwIfAborted();
      this.requireStandby();
    };
    await this.step('chosen');
    const only = { ...manifest, collections: [collection] };
    await staging.requireSpace(only, { room: () => Promise.resolve(bytesOf(collection)) });
    await staging.fetch(only, { fetch: (...asked) => parts.fetchAfresh(...asked) }, noStep, signal);
    await this.step('fetched');
    guard();
    const scratch = { ...collection, name: SCRATCH_COLLECTION, aliases: [] };
    await restoreCollection(manifest.id, scratch, {
      qdrant,
      guard,
      step: noStep,
      staging: {
        show: (id, _scratch, shardId) => staging.show(id, collection.name, shardId, SCRATCH_COLLECTION),
      },
      ...(spec.servers === undefined ? {} : { replicas: spec.servers.replicas }),
    });
    await this.step('restored');
    guard();
    const counted = await compareCollection(scratch, qdrant);
    const { differences, absent } = await compareDigests(manifest.id, [scratch], {
      qdrant,
      publishersBucket: () => Promise.resolve(null),
      meanwhile: guard,
    });
    await this.step('compared');
    const named = (lines: readonly string[]): string[] =>
      lines.map((line) => line.replaceAll(SCRATCH_COLLECTION, collection.name));
    // Without a digest, counts and known answers have to do, as when it was applied.
    return { findings: named([...counted, ...differences]), notes: named(absent) };
  }

  private async choose(): Promise<Chosen> {
    const { store, spec, qdrant, freeMemoryBytes = freemem } = this.options;
    const version = await qdrant.version();
    for (const { site, id } of this.shuffled(await catalogue(store, [spec.site, spec.peer.site]))) {
      const { manifest } = await store.readManifest(site, id);
      // History of an older release: it is restored by that one.
      if (manifest.versions.qdrant !== version) continue;
      const own = manifest.collections.filter(({ name }) => name !== HEARTBEAT_COLLECTION);
      const fits = (each: ManifestCollection): boolean => bytesOf(each) * MEMORY_FACTOR <= freeMemoryBytes();
      const leftOut = own
        .filter((each) => !fits(each))
        .map(
          (each) => `${each.name} is not tested here: its ${size(bytesOf(each))} do not fit beside the data`,
        );
      const [collection] = this.shuffled(own.filter(fits));
      if (collection !== undefined) return { manifest, collection, leftOut };
    }
    throw new SkippedError(
      'NOTHING_TO_TEST',
      `The store has no publish of Qdrant ${version} with a collection that fits beside the data of ${spec.site}.`,
    );
  }

  private shuffled<T>(items: readonly T[]): T[] {
    const { random = Math.random } = this.options;
    return items
      .map((item) => ({ item, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  }

  private requireStandby(): void {
    const { keeper, spec } = this.options;
    if (keeper.state() === 'standby' && heldEpoch(keeper) === null) return;
    throw new SkippedError(
      'NOT_STANDBY',
      `${spec.site} is ${keeper.state()}: restores are tested on the site that stands by.`,
    );
  }

  private async step(step: RestoreTestStep): Promise<void> {
    await this.options.step?.(step);
  }

  private async remove(): Promise<void> {
    await this.options.qdrant.deleteCollection(SCRATCH_COLLECTION);
    await this.options.staging.keepOnly([]);
  }

  private async removeTraces(): Promise<void> {
    try {
      await this.remove();
    } catch (error) {
      this.options.record('alert', `what a restore test left is removed by the next: ${messageOf(error)}`);
    }
  }
}

/** Waits no longer than until the signal, whatever becomes of the work. */
function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
  return Promise.race([work, aborted]);
}

function bytesOf({ shards }: Pick<ManifestCollection, 'shards'>): number {
  return shards.reduce((sum, { bytes }) => sum + bytes, 0);
}

function noStep(): Promise<void> {
  return Promise.resolve();
}

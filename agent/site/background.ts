/** What the daemon does by itself between requests: keeps ages and versions known, cleans up, resumes. */
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import type { Drills } from './drills';
import { SkippedError, messageOf } from './errors';
import type { Operations } from './operations';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from './ports';
import type { QdrantClient } from './qdrant/client';
import { canonicalJson } from './snapshots/hashing';
import type { Publisher } from './snapshots/publish';
import type { RestoreTester } from './snapshots/restore-test';
import type { Staging } from './snapshots/staging';
import type { SnapshotStore } from './snapshots/store';
import { UNKNOWN_AGE, ageOf, anchorAge } from './state/age';
import type { Ledger } from './state/ledger';
import type { Parity } from './readiness';

export interface BackgroundOptions {
  readonly spec: SiteAgentSpec;
  readonly keeper: KeeperPort;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly qdrant: Pick<QdrantClient, 'version'>;
  /** Null when the engine does not say. */
  readonly engineVersion: () => Promise<string | null>;
  readonly store: SnapshotStore;
  readonly operations: Operations;
  readonly publisher: Pick<Publisher, 'removeLeftovers'>;
  readonly tester: Pick<RestoreTester, 'isDue' | 'beginToWait' | 'clean'>;
  readonly drills: Pick<Drills, 'beginToWait'>;
  readonly staging: Pick<Staging, 'sweep'>;
  /** Finds the newest heartbeat in this site's data. */
  readonly lookForHeartbeat?: () => Promise<void>;
  readonly record: RecordEvent;
}

const MAX_INTERVAL_MS = 10_000;

export class Background {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private wasHolding = false;
  private cleaned = false;
  private resumed = false;
  private qdrantVersion: string | null = null;
  private vllmVersion: string | null = null;
  private readonly told = new Set<string>();

  constructor(private readonly options: BackgroundOptions) {}

  get versions(): { qdrant: string | null; vllm: string | null } {
    return { qdrant: this.qdrantVersion, vllm: this.vllmVersion };
  }

  start(): void {
    this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  /** Something has changed that is worth looking at now. */
  wake(): void {
    if (this.stopped) return;
    if (this.running !== null) this.again = true;
    else this.run();
  }

  /** A manifest is older than what the peer says of itself: it counts while the peer says nothing. */
  async learnPublishedParity(parity: Parity): Promise<void> {
    if (this.options.keeper.peer().health !== 'healthy') await this.learnPeerParity(parity);
  }

  async learnPeerParity(parity: Parity): Promise<void> {
    const { ledger } = this.options;
    const { configHash, modelSha256, replacesModelSha256, qdrantVersion } = parity;
    const seen = { configHash, modelSha256, replacesModelSha256, qdrantVersion };
    if (canonicalJson(ledger.state.peerParity) !== canonicalJson(seen))
      await ledger.update({ peerParity: seen });
  }

  private run(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.running = this.round().finally(() => {
      this.running = null;
      if (this.stopped) return;
      const intervalMs = Math.min(MAX_INTERVAL_MS, this.options.spec.canary.intervalSeconds * 1000);
      this.timer = setTimeout(() => this.run(), this.again ? 0 : intervalMs);
      this.again = false;
    });
  }

  private async round(): Promise<void> {
    await this.attempt('versions', () => this.learnVersions());
    await this.attempt('holding', () => this.followLease());
    await this.attempt('first-publish-due', () => this.publishFirst());
    await this.attempt('ages', () => this.refreshAges());
    await this.attempt('heartbeat', () => this.lookForHeartbeat());
    await this.attempt('leftovers', () => this.cleanOnce());
    await this.attempt('drills', () => this.options.drills.beginToWait());
    await this.attempt('restore-test-due', () => this.testRestore());
    // In the background, for the same reason as the first publish.
    void this.attempt('resume', () => this.resumeOnce());
  }

  /**
   * Each by itself: one that fails must not keep the others from being done. It is told once until it works again, so what
   * goes on in the background has a name other than that of what began it.
   */
  private async attempt(what: string, work: () => Promise<void>): Promise<void> {
    if (this.stopped) return;
    try {
      await work();
      this.told.delete(what);
    } catch (error) {
      if (this.told.has(what) || error instanceof SkippedError) return;
      this.told.add(what);
      this.options.record('alert', `${what}: ${messageOf(error)}`);
    }
  }

  private async learnVersions(): Promise<void> {
    try {
      this.qdrantVersion = await this.options.qdrant.version();
    } catch {
      // The vectors canary tells of it.
      this.qdrantVersion = null;
    }
    this.vllmVersion = await this.options.engineVersion();
  }

  /** From the claim on, what is here is the service's data and no longer a copy; the first publish says so at once. */
  private async followLease(): Promise<void> {
    const { keeper, ledger, operations } = this.options;
    const holding = heldEpoch(keeper) !== null;
    const took = holding && !this.wasHolding;
    this.wasHolding = holding;
    if (!took) return;
    operations.endTest('this site has taken the lease');
    const { applied, applying } = ledger.state;
    if (applied === null && applying === null) return;
    // A site that takes over halfway through an apply has data of no publish.
    await ledger.update({
      applied: null,
      applying: null,
      basedOn: applying === null ? (applied?.id ?? null) : null,
    });
  }

  /** The peer can take nothing of an older epoch: the first publish of a new one does not wait for the timer. */
  private async publishFirst(): Promise<void> {
    const { keeper, ledger, operations } = this.options;
    const epoch = heldEpoch(keeper);
    if (epoch === null || !keeper.isWritable() || operations.busy !== null) return;
    if (ledger.state.published?.epoch === epoch) return;
    // In the background: the next round must not wait for a big publish.
    void this.attempt('first-publish', async () => void (await operations.publish()));
  }

  /** After a reboot monotonic time has begun again: the ages are read from the store. */
  private async refreshAges(): Promise<void> {
    const { ledger, clock } = this.options;
    const { applied, published } = ledger.state;
    if (applied !== null && ageOf(applied.anchor, clock) === null) {
      const anchor = await this.storedAge(applied.site, applied.id);
      if (ledger.state.applied?.id === applied.id) await ledger.update({ applied: { ...applied, anchor } });
    }
    if (published !== null && ageOf(published.anchor, clock) === null) {
      const anchor = await this.storedAge(published.site, published.id);
      if (ledger.state.published?.id === published.id)
        await ledger.update({ published: { ...published, anchor } });
    }
  }

  private async storedAge(site: string, id: string) {
    const { manifest, ageSeconds } = await this.options.store.readManifest(site, id);
    return ageSeconds === null
      ? UNKNOWN_AGE
      : anchorAge(this.options.clock, ageSeconds + manifest.capturedSeconds);
  }

  /** What has come by an apply; half of one says nothing. */
  private async lookForHeartbeat(): Promise<void> {
    const { ledger, keeper } = this.options;
    if (heldEpoch(keeper) !== null || ledger.state.applying !== null) return;
    await this.options.lookForHeartbeat?.();
  }

  private async cleanOnce(): Promise<void> {
    if (this.cleaned || this.options.operations.busy !== null) return;
    await this.options.publisher.removeLeftovers();
    await this.options.staging.sweep();
    await this.options.tester.clean();
    this.cleaned = true;
  }

  /** Not before what a test may have left is removed. */
  private async testRestore(): Promise<void> {
    const { tester, operations } = this.options;
    await tester.beginToWait();
    if (!this.cleaned || operations.busy !== null || !tester.isDue()) return;
    // In the background as well.
    void this.attempt('restore-test', async () => void (await operations.testRestore()));
  }

  /** An apply that was cut short is done again without waiting for the timer. */
  private async resumeOnce(): Promise<void> {
    const { keeper, ledger, operations } = this.options;
    if (this.resumed || keeper.lease() === null || operations.busy !== null) return;
    this.resumed = true;
    if (ledger.state.rewinding !== null && heldEpoch(keeper) !== null) await operations.resumeRestore();
    const state = keeper.state();
    if (state === 're-protecting') {
      await operations.reprotect({
        by: `agent of ${this.options.spec.site}`,
        reason: 'was cut short by a restart',
      });
    } else if (state === 'standby' && ledger.state.applying !== null) {
      await operations.apply();
    }
  }
}

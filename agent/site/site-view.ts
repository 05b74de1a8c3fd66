/** Everything that can be asked of this site, from what is known already: no call waits for anything. */
import {
  type AgentEvent,
  type CanaryPart,
  type CanaryStatus,
  type DigestStatus,
  type DivergedSummary,
  type DrillStatus,
  type Health,
  type HeartbeatStatus,
  type PromotableResponse,
  type ReadyzResponse,
  type Reason,
  type RestoreTestStatus,
  type StandingRequest,
  type StatusResponse,
} from '../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { worst, type CanaryView } from './canary/canary';
import { unmergedWrites } from './diverged/archive';
import type { EdgeFacts } from './edge-verdicts';
import type { Busy } from './operations';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from './ports';
import { notPromotableReasons, notReadyReasons, type CanaryFacts } from './readiness';
import { ageOf } from './state/age';
import type { EngineRestart, EngineRestartsView } from './recovery/engine-restart';
import type { Ledger } from './state/ledger';

export interface RunningVersions {
  readonly agent: string;
  readonly qdrant: string | null;
  readonly vllm: string | null;
}

export interface SiteViewOptions {
  readonly spec: SiteAgentSpec;
  readonly keeper: KeeperPort;
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly canary: Readonly<Record<CanaryPart, () => CanaryView>>;
  readonly engineRestarts: Pick<EngineRestart, 'recovering' | 'view'>;
  /** Another server of this site that is well in this part, or null. */
  readonly wellBeside?: (part: CanaryPart) => string | null;
  /** Who leads the site, and what its other servers say of themselves. */
  readonly servers?: () => NonNullable<StatusResponse['servers']>;
  readonly isApplying: () => boolean;
  readonly busy: () => Busy | null;
  readonly versions: () => RunningVersions;
  readonly events: () => readonly AgentEvent[];
  /** Of what the agent calls outside, where it does. */
  readonly outward?: () => Pick<StatusResponse, 'dnsRecord' | 'alerts'>;
  readonly digest: () => DigestStatus;
  readonly diverged: () => readonly DivergedSummary[];
  /** Undefined where there is none. */
  readonly heartbeat: () => HeartbeatStatus | undefined;
  readonly restoreTest: () => RestoreTestStatus;
  readonly drill: () => DrillStatus;
  readonly record: RecordEvent;
}

export class SiteView {
  private wasReady = false;

  constructor(private readonly options: SiteViewOptions) {}

  readyz(): ReadyzResponse {
    const { spec, keeper } = this.options;
    const reasons = notReadyReasons({
      site: spec.site,
      writable: keeper.isWritable(),
      holder: keeper.lease()?.holder ?? null,
      canary: this.canaryViews(),
    });
    const ready = reasons.length === 0;
    this.tellChange(ready, reasons);
    return { ready, site: spec.site, reasons };
  }

  promotable(): PromotableResponse {
    const { spec, keeper, ledger } = this.options;
    const { applied, applying, peerParity } = ledger.state;
    const reasons = notPromotableReasons({
      site: spec.site,
      state: keeper.state(),
      witness: keeper.witness(),
      canary: this.siteCanary(),
      parity: spec.parity,
      peerParity,
      runningQdrant: this.options.versions().qdrant,
      applied,
      applying,
      differences: this.differences(),
      touching: this.options.isApplying(),
      dataAgeSeconds: this.dataAgeSeconds(),
      rpoSeconds: spec.snapshots.rpoSeconds,
    });
    return { promotable: reasons.length === 0, site: spec.site, reasons };
  }

  /** Age of the data that promoting this site would bring back; null for the holder and when it is unknown. */
  dataAgeSeconds(): number | null {
    if (this.holds()) return null;
    return ageOf(this.options.ledger.state.applied?.anchor ?? null, this.options.clock);
  }

  publishedAgeSeconds(): number | null {
    return ageOf(this.options.ledger.state.published?.anchor ?? null, this.options.clock);
  }

  canaryHealth(): { health: Health; since: number } {
    const views = Object.values(this.siteCanary());
    const health = worst(views.map((view) => view.health));
    return {
      health,
      since: Math.min(...views.filter((view) => view.health === health).map((view) => view.since)),
    };
  }

  /** A restarted engine is given time; what else may be failing is not mended by it. */
  recovering(): boolean {
    return this.options.engineRestarts.recovering() && this.options.canary.vectors().health !== 'failing';
  }

  otherServers(): readonly StandingRequest[] {
    return this.options.servers?.().others ?? [];
  }

  engineRestarts(): EngineRestartsView {
    return this.options.engineRestarts.view();
  }

  edgeFacts(): EdgeFacts {
    this.readyz();
    return {
      state: this.options.keeper.state(),
      holds: this.holds(),
      inference: this.options.canary.inference().health,
      vectors: this.options.canary.vectors().health,
      peer: this.options.keeper.peer().health,
    };
  }

  status(): StatusResponse {
    const { spec, keeper, ledger, canary } = this.options;
    const { published, applied } = ledger.state;
    const peer = keeper.peer();
    const publishedAge = this.publishedAgeSeconds();
    const dataAge = this.dataAgeSeconds();
    const servers = this.options.servers?.();
    const heartbeat = this.options.heartbeat();
    return {
      site: spec.site,
      ...(servers === undefined ? {} : { servers }),
      state: keeper.state(),
      ready: this.readyz().ready,
      writable: keeper.isWritable(),
      lease: keeper.lease(),
      writableForSeconds: keeper.writableForSeconds(),
      witness: keeper.witness(),
      peer: {
        health: peer.health,
        state: peer.state,
        promotable: peer.promotable,
        modelSha256: ledger.state.peerParity?.modelSha256 ?? null,
      },
      canary: {
        inference: shown(canary.inference()),
        vectors: shown(canary.vectors()),
        edge: shown(canary.edge()),
      },
      promotable: this.promotable(),
      published:
        published === null || publishedAge === null ? null : { ...info(published), ageSeconds: publishedAge },
      applied: applied === null || dataAge === null ? null : { ...info(applied), dataAgeSeconds: dataAge },
      busy: this.options.busy(),
      versions: this.options.versions(),
      parity: spec.parity,
      switching: keeper.switching(),
      digest: this.options.digest(),
      diverged: this.options.diverged(),
      restoreTest: this.restoreTest(),
      drill: this.drill(),
      ...(heartbeat === undefined ? {} : { heartbeat }),
      ...this.options.outward?.(),
      events: this.options.events(),
    };
  }

  /** What the data here was found to have otherwise than it was published. */
  differences(): readonly string[] {
    const { verdict } = this.options.digest();
    return verdict?.result === 'different' ? verdict.details : [];
  }

  /** Writes of this site's own that wait for somebody's decision. */
  unmergedWrites(): number {
    return unmergedWrites(this.options.diverged());
  }

  heartbeat(): HeartbeatStatus | undefined {
    return this.options.heartbeat();
  }

  restoreTest(): RestoreTestStatus {
    return this.options.restoreTest();
  }

  drill(): DrillStatus {
    return this.options.drill();
  }

  holds(): boolean {
    return heldEpoch(this.options.keeper) !== null;
  }

  /** Health checks ask often enough for the moment to be told here. */
  private tellChange(ready: boolean, reasons: readonly Reason[]): void {
    if (ready === this.wasReady) return;
    this.wasReady = ready;
    this.options.record(ready ? 'ready' : 'not-ready', reasons.map((reason) => reason.message).join(' '));
  }

  /** A part that one of the site's servers is well in is well: the edges pass requests on to that server. */
  private siteCanary(): Readonly<Record<CanaryPart, CanaryView>> {
    const { canary, wellBeside } = this.options;
    const of = (part: CanaryPart): CanaryView => {
      const own = canary[part]();
      const other = own.health === 'healthy' ? null : (wellBeside?.(part) ?? null);
      return other === null ? own : { ...own, health: 'healthy', detail: `${other} is well` };
    };
    return { inference: of('inference'), vectors: of('vectors'), edge: of('edge') };
  }

  canaryViews(): CanaryFacts {
    const { canary } = this.options;
    return { inference: canary.inference(), vectors: canary.vectors(), edge: canary.edge() };
  }
}

function shown(view: CanaryView): CanaryStatus {
  return { health: view.health, ageSeconds: view.ageSeconds, detail: view.detail };
}

function info(publish: { id: string; site: string; epoch: number; points: number; bytes: number }) {
  const { id, site, epoch, points, bytes } = publish;
  return { id, site, epoch, points, bytes };
}

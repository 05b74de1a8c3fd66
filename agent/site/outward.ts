/** What the agent calls outside its own world: the DNS record that it moves and the people that it tells. */
import type { Registry } from 'prom-client';
import type { AgentEvent, StatusResponse } from '../../infra/contract/agent-api';
import type { AlertTargetKind } from '../../infra/contract/outward-spec';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import type { Logger } from '../shared/logger';
import { Alerts, type AlertSender } from './alerts/alerts';
import { WebhookSender } from './alerts/webhook';
import { ConfigurationInvalidError, type Credentials } from './configuration';
import { CloudflareClient } from './dns/cloudflare-client';
import { CloudflareRecord } from './dns/cloudflare-record';
import { outwardMetrics } from './outward-metrics';
import type { KeeperPort, RecordEvent, SiteClock } from './ports';
import type { SiteView } from './site-view';

export interface OutwardOptions {
  readonly spec: SiteAgentSpec;
  readonly credentials: Pick<Credentials, 'dnsToken' | 'alerts'>;
  readonly keeper: KeeperPort;
  readonly view: Pick<
    SiteView,
    | 'promotable'
    | 'canaryViews'
    | 'otherServers'
    | 'dataAgeSeconds'
    | 'publishedAgeSeconds'
    | 'holds'
    | 'engineRestarts'
    | 'differences'
    | 'unmergedWrites'
    | 'heartbeat'
    | 'restoreTest'
    | 'drill'
  >;
  readonly clock: SiteClock;
  readonly logger: Logger;
  readonly record: RecordEvent;
  readonly alertsPath: string;
}

const MAX_LOOK_MS = 5_000;
/** After these the lease may be somebody else's. */
const LEASE_MOVES: ReadonlySet<AgentEvent['kind']> = new Set(['claimed', 'handed-over', 'fenced', 'state']);

export class Outward {
  private readonly client: CloudflareClient | null;
  private readonly dnsRecord: CloudflareRecord | null;
  private readonly alerts: Alerts | null;

  constructor(private readonly options: OutwardOptions) {
    const { spec, credentials, keeper, clock, record } = options;
    this.client = null;
    this.dnsRecord = null;
    if (spec.dnsRecord !== undefined) {
      const { apiUrl, zoneId } = spec.dnsRecord;
      const token = needed(credentials.dnsToken, 'dnsRecord');
      this.client = new CloudflareClient({ apiUrl, zoneId, token });
      this.dnsRecord = new CloudflareRecord({
        spec: spec.dnsRecord,
        client: this.client,
        keeper,
        clock,
        record,
      });
    }
    this.alerts = spec.alerts === undefined ? null : this.makeAlerts(spec.alerts);
  }

  /** Returns at once: called from within the lease loop. */
  onEvent(event: AgentEvent): void {
    this.alerts?.onEvent(event);
    if (LEASE_MOVES.has(event.kind)) this.dnsRecord?.wake();
  }

  status(): Pick<StatusResponse, 'dnsRecord' | 'alerts'> {
    return {
      ...(this.dnsRecord === null ? {} : { dnsRecord: this.dnsRecord.view() }),
      ...(this.alerts === null ? {} : { alerts: this.alerts.view() }),
    };
  }

  measure(registry: Registry): void {
    outwardMetrics(registry, () => this.status());
  }

  async start(): Promise<void> {
    this.dnsRecord?.start();
    await this.alerts?.start();
  }

  async stop(): Promise<void> {
    // A request under way is broken off: whether it was carried out, the next process finds out.
    await Promise.all([this.dnsRecord?.stop(), this.client?.close(), this.alerts?.stop()]);
  }

  private makeAlerts(spec: NonNullable<SiteAgentSpec['alerts']>): Alerts {
    const { keeper, view, clock, logger, credentials, alertsPath } = this.options;
    const { site, siteHost, snapshots, canary, drillIntervalDays } = this.options.spec;
    const senders: Partial<Record<AlertTargetKind, AlertSender>> = {};
    for (const target of spec.targets) {
      const secret = needed(credentials.alerts?.[target.kind], `alerts to ${target.kind}`);
      senders[target.kind] = new WebhookSender(
        target,
        secret,
        { site, siteHost },
        spec.requestTimeoutSeconds * 1000,
      );
    }
    return new Alerts({
      site,
      spec,
      senders,
      leaseAlerts: () => keeper.alerts(),
      facts: () => ({
        site,
        state: keeper.state(),
        holds: view.holds(),
        lease: keeper.lease(),
        promotable: view.promotable(),
        canary: view.canaryViews(),
        otherServers: view.otherServers(),
        engineRestarts: view.engineRestarts(),
        dataAgeSeconds: view.dataAgeSeconds(),
        publishedAgeSeconds: view.publishedAgeSeconds(),
        rpoSeconds: snapshots.rpoSeconds,
        differences: view.differences(),
        unmergedWrites: view.unmergedWrites(),
        heartbeat: view.heartbeat(),
        restoreTest: view.restoreTest(),
        drill: view.drill(),
        drillIntervalDays,
        restoreTestIntervalHours: snapshots.restoreTestIntervalHours,
        dnsRecord: this.dnsRecord?.view(),
        proposal: keeper.switching().proposal,
      }),
      path: alertsPath,
      clock,
      logger,
      intervalMs: Math.min(MAX_LOOK_MS, canary.intervalSeconds * 1000),
    });
  }
}

function needed(secret: string | undefined, what: string): string {
  if (secret !== undefined) return secret;
  throw new ConfigurationInvalidError(`${what} is configured without its credential. Apply the stack again.`);
}

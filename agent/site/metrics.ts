/** What Prometheus scrapes. Gauges are read when asked for: nothing runs in between. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { CANARY_PARTS, SITE_STATES, type AgentEvent, type Health } from '../../infra/contract/agent-api';
import type { GatewayCounters } from './gateway/write-gateway';
import type { KeeperPort } from './ports';
import type { SiteView } from './site-view';
import { DIRECTIONS, type Transfers } from './snapshots/transfers';
import { optionalGauge } from './optional-gauge';

export interface MetricsOptions {
  readonly site: string;
  readonly view: SiteView;
  readonly keeper: KeeperPort;
  readonly gate: { readonly writesInFlight: number; readonly writesWaiting: number };
  /** Writes acknowledged since the data of the last publish was cut. */
  readonly unpublishedWrites: () => number;
  readonly rpoSeconds: number;
  readonly transfers?: Transfers;
}

const ENDS: Partial<Record<AgentEvent['kind'], { operation: string; result: string }>> = {
  published: { operation: 'publish', result: 'done' },
  'publish-failed': { operation: 'publish', result: 'failed' },
  applied: { operation: 'apply', result: 'done' },
  'apply-failed': { operation: 'apply', result: 'failed' },
};

export class Metrics {
  readonly registry = new Registry();
  private readonly acknowledged: Counter;
  private readonly refused: Counter<'code'>;
  private readonly seconds: Histogram;
  private readonly operations: Counter<'operation' | 'result'>;

  constructor(options: MetricsOptions) {
    const { registry } = this;
    registry.setDefaultLabels({ site: options.site });
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
    const registers = [registry];
    this.acknowledged = new Counter({
      name: 'failover_gateway_writes_acknowledged_total',
      help: 'Qdrant writes acknowledged to clients',
      registers,
    });
    this.refused = new Counter({
      name: 'failover_gateway_writes_refused_total',
      help: 'Qdrant writes not acknowledged, by reason',
      labelNames: ['code'],
      registers,
    });
    this.seconds = new Histogram({
      name: 'failover_gateway_write_seconds',
      help: 'Time of a write through the gateway, Qdrant included',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10],
      registers,
    });
    this.operations = new Counter({
      name: 'failover_operations_total',
      help: 'Publishes and applies that ended, by result',
      labelNames: ['operation', 'result'],
      registers,
    });
    gauges(registry, options);
    if (options.transfers !== undefined) transferCounters(registry, options.transfers);
  }

  gateway(): GatewayCounters {
    return {
      acknowledged: () => this.acknowledged.inc(),
      refused: (code) => this.refused.inc({ code }),
      seconds: (value) => this.seconds.observe(value),
    };
  }

  /** Counts those events that end an operation. */
  event(kind: AgentEvent['kind']): void {
    const ended = ENDS[kind];
    if (ended !== undefined) this.operations.inc(ended);
  }

  async text(): Promise<{ type: string; content: string }> {
    return { type: this.registry.contentType, content: await this.registry.metrics() };
  }
}

function transferCounters(registry: Registry, transfers: Transfers): void {
  const counter = (unit: 'bytes' | 'seconds', help: string): void => {
    new Counter({
      name: `failover_replication_${unit}_total`,
      help,
      labelNames: ['operation'],
      registers: [registry],
      collect() {
        this.reset();
        for (const operation of DIRECTIONS) this.inc({ operation }, transfers.total(operation)[unit]);
      },
    });
  };
  counter(
    'bytes',
    'Sent by publishes after deduplication and compression; written to disk by applies and restore tests',
  );
  counter('seconds', 'Time that these transfers took');
}

function gauges(registry: Registry, options: MetricsOptions): void {
  const { view, keeper, gate } = options;
  const gauge = (name: string, help: string, read: () => number | null): void => {
    optionalGauge(registry, name, help, read);
  };
  const state = new Gauge({
    name: 'failover_state',
    help: '1 for the state that this site is in, 0 for the others',
    labelNames: ['state'],
    registers: [registry],
    collect: () => {
      const now = keeper.state();
      for (const name of SITE_STATES) state.set({ state: name }, name === now ? 1 : 0);
    },
  });
  const canary = new Gauge({
    name: 'failover_canary_healthy',
    help: '1 healthy, 0 failing, -1 unknown',
    labelNames: ['part'],
    registers: [registry],
    collect: () => {
      const { canary: views } = view.status();
      for (const part of CANARY_PARTS) canary.set({ part }, healthNumber(views[part].health));
    },
  });
  gauge('ready', '1 when this site is ready for traffic', () => (view.readyz().ready ? 1 : 0));
  gauge('writable', '1 when this site acknowledges writes', () => (keeper.isWritable() ? 1 : 0));
  gauge('promotable', '1 when this site could take over', () => (view.promotable().promotable ? 1 : 0));
  gauge('lease_epoch', 'Epoch of the lease as last seen', () => keeper.lease()?.epoch ?? null);
  gauge('lease_remaining_seconds', 'Until writes stop unless the lease is renewed; holder only', () =>
    keeper.writableForSeconds(),
  );
  gauge('witness_healthy', '1 healthy, 0 failing, -1 unknown', () => healthNumber(keeper.witness()));
  gauge('peer_healthy', '1 healthy, 0 failing, -1 unknown', () => healthNumber(view.status().peer.health));
  gauge('published_age_seconds', 'Age of the data in the last publish made here', () =>
    view.publishedAgeSeconds(),
  );
  gauge('applied_data_age_seconds', 'Age of the data that was last applied and verified here', () =>
    view.dataAgeSeconds(),
  );
  gauge(
    'would_lose_seconds',
    'What would be lost now: by the holder failing, or by promoting this site',
    () => (view.holds() ? view.publishedAgeSeconds() : view.dataAgeSeconds()),
  );
  gauge('would_lose_writes', 'Acknowledged writes that are in no publish yet; holder only', () =>
    view.holds() ? options.unpublishedWrites() : null,
  );
  gauge('rpo_seconds', 'The objective that the ages are held against', () => options.rpoSeconds);
  gauge(
    'gateway_writes_in_flight',
    'Writes forwarded to Qdrant and not answered yet',
    () => gate.writesInFlight,
  );
  gauge('gateway_writes_waiting', 'Writes held back while a snapshot is cut', () => gate.writesWaiting);
}

function healthNumber(health: Health): number {
  return health === 'healthy' ? 1 : health === 'failing' ? 0 : -1;
}

/** Puts the parts of the site agent together. What differs in tests comes in through the options. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  AGENT_PORT,
  GATEWAY_PORT,
  HEARTBEAT_COLLECTION,
  type StandingResponse,
  type StatusResponse,
} from '../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { LeaseKeeper, LineageFile, type LeaseStore } from '../lease';
import type { Leadership } from '../leadership';
import type { Logger } from '../shared/logger';
import { routes } from './api/routes';
import { ApiServer } from './api/server';
import { Background } from './background';
import { canaries } from './canary/canaries';
import type { ProbeResult } from './canary/verdict';
import type { Credentials } from './configuration';
import { Diverged } from './diverged/diverged';
import { Drills } from './drills';
import { LoopbackGatewayWriter } from './diverged/gateway-writer';
import { namesCollection } from './gateway/allow-list';
import { WriteGate } from './gateway/write-gate';
import { OWN_KEY_HEADER, WriteGateway } from './gateway/write-gateway';
import { HEARTBEAT_SECONDS, Heartbeat } from './heartbeat/heartbeat';
import { heartbeatMetrics } from './heartbeat/heartbeat-metrics';
import { messageOf } from './errors';
import { KeyCheck } from './keys';
import { Metrics } from './metrics';
import type { Operations } from './operations';
import { Outward } from './outward';
import { PeerClient } from './peer/client';
import type { RecordEvent, SiteClock } from './ports';
import { QdrantClient } from './qdrant/client';
import { engineRestartOf } from './recovery/of-server';
import { replicationOf, type ReplicationSteps } from './replication';
import { ServerReports } from './servers/reports';
import { serverRoutes } from './servers/routes';
import { SharedLineage } from './servers/shared-lineage';
import { SiteView } from './site-view';
import { catalogue } from './snapshots/catalogue';
import { restoreTestMetrics } from './snapshots/restore-test-metrics';
import type { PartStore } from './snapshots/parts';
import type { SnapshotStore } from './snapshots/store';
import type { Transfers } from './snapshots/transfers';
import { siteClock } from './state/clock';
import { WatchedLineage } from './state/watched-lineage';
import { EventLog } from './state/event-log';
import { Ledger } from './state/ledger';

/** What another server said of itself counts for so many of its probes. */
const REPORT_FRESH_INTERVALS = 3;

export interface SiteFolders {
  /** The agent's own state. */
  readonly state: string;
  /** Under Qdrant's snapshots path, readable by Qdrant. */
  readonly staging: string;
  /** Where root's units look for what this agent asks of them. */
  readonly requests: string;
}

export interface SiteOptions {
  readonly spec: SiteAgentSpec;
  readonly credentials: Credentials;
  readonly folders: SiteFolders;
  readonly stores: {
    readonly lease: LeaseStore;
    readonly snapshots: SnapshotStore;
    readonly parts: PartStore;
  };
  readonly logger: Logger;
  /** What the part store has moved. */
  readonly transfers?: Transfers;
  readonly agentVersion: string;
  readonly ports?: { readonly agent: number; readonly gateway: number };
  readonly peerOrigin?: (address: string) => string;
  /** In place of the edge on this server's port 443. */
  readonly probeEdge?: () => Promise<ProbeResult>;
  readonly clock?: SiteClock;
  /** Where the site has several servers: this one leads, until it says otherwise. */
  readonly leadership?: Leadership;
  /** How often the holder writes its heartbeat; 0 never. */
  readonly heartbeatSeconds?: number;
  readonly step?: ReplicationSteps;
}

/** A running site agent. */
export interface Site {
  readonly ports: { readonly agent: number; readonly gateway: number };
  readonly keeper: LeaseKeeper;
  readonly view: SiteView;
  readonly operations: Operations;
  stop(): Promise<void>;
}

export async function startSite(options: SiteOptions): Promise<Site> {
  const { spec, credentials, folders, stores, logger } = options;
  const clock = options.clock ?? siteClock();
  const { leadership } = options;
  const ledger =
    leadership === undefined
      ? await Ledger.open(join(folders.state, 'ledger.json'))
      : Ledger.kept(leadership.recall('ledger'), `the memory of ${spec.site}`, (state) =>
          leadership.remember('ledger', state),
        );
  const events = new EventLog({
    site: spec.site,
    clock,
    logger,
    epoch: () => keeper.lease()?.epoch ?? null,
    path: join(folders.state, 'events.jsonl'),
  });
  await events.load();
  const record: RecordEvent = (kind, detail) => {
    events.add(kind, detail);
    metrics.event(kind);
    // What has been applied holds another heartbeat.
    if (kind === 'applied') background.wake();
  };

  const qdrant = new QdrantClient({ port: spec.vectors.port, apiKey: credentials.qdrantKey });
  const gate = new WriteGate();
  const peer = new PeerClient({
    host: spec.peer.host,
    addresses: spec.peer.addresses,
    key: credentials.peerKey,
    timeoutMs: spec.lease.requestTimeoutSeconds * 1000,
    ...(spec.caCertificate === undefined ? {} : { caCertificate: spec.caCertificate }),
    ...(options.peerOrigin === undefined ? {} : { origin: options.peerOrigin }),
  });
  const lineage = new WatchedLineage(
    leadership === undefined
      ? new LineageFile(join(folders.state, 'lineage.json'))
      : new SharedLineage(leadership, spec.site),
  );
  const askPeer = async (): Promise<StatusResponse> => {
    const status = await peer.status();
    heartbeat.peerReported(status.heartbeat);
    try {
      await background.learnPeerParity(status.parity);
    } catch (error) {
      // Known here at once; what the peer says counts whether or not it could be written down.
      record('alert', `the peer's versions could not be remembered: ${messageOf(error)}`);
    }
    return status;
  };
  const keeper: LeaseKeeper = new LeaseKeeper({
    spec,
    store: stores.lease,
    peer: { promise: (request) => peer.promise(request), wake: () => peer.wake(), status: askPeer },
    local: {
      promotable: () => view.promotable(),
      canary: () => view.canaryHealth(),
      recovering: () => view.recovering(),
      dataAgeSeconds: () => view.dataAgeSeconds(),
      finalSync: (deadlineMs) => operations.finalSync(deadlineMs),
    },
    state: lineage,
    ...(leadership === undefined ? {} : { leadsUntil: () => leadership.leadsUntil() }),
    onEvent: (event) => {
      events.push(event);
      outward.onEvent(event);
      if (event.kind === 'claimed' || event.kind === 'state') background.wake();
    },
  });

  const replication = replicationOf({
    spec,
    folders,
    stores,
    qdrant,
    gate,
    keeper,
    ledger,
    clock,
    record,
    peer,
    agentVersion: options.agentVersion,
    claimPending: () => lineage.claimPending,
    learnParity: (parity) => background.learnPublishedParity(parity),
    ...(options.step === undefined ? {} : { step: options.step }),
  });
  const { digests, publisher, applier, staging, tester, operations, isApplying } = replication;
  const drills = new Drills(ledger, clock, record);
  const reports = new ServerReports(clock, REPORT_FRESH_INTERVALS * spec.canary.intervalSeconds * 1000);
  const engineRestart = await engineRestartOf({ spec, folders, clock, record });
  const { inferenceProbe, inference, vectors, edge } = canaries({
    spec,
    vllmKey: credentials.vllmKey,
    clock,
    qdrant,
    isApplying,
    engineRestart,
    record,
    ...(options.probeEdge === undefined ? {} : { probeEdge: options.probeEdge }),
  });
  const ownKey = randomUUID();
  const ownWrites = new LoopbackGatewayWriter({
    port: () => ports.gateway,
    apiKey: credentials.qdrantKey,
    headers: { [OWN_KEY_HEADER]: ownKey },
    timeoutMs: 10_000,
  });
  const heartbeat: Heartbeat = new Heartbeat({
    site: spec.site,
    intervalSeconds: options.heartbeatSeconds ?? HEARTBEAT_SECONDS,
    qdrant,
    gateway: ownWrites,
    keeper,
    clock,
    record,
    acknowledgedWrites: () => publisher.acknowledgedWrites,
  });
  const background: Background = new Background({
    spec,
    keeper,
    ledger,
    clock,
    qdrant,
    engineVersion: () => inferenceProbe.version(),
    store: stores.snapshots,
    operations,
    publisher,
    tester,
    drills,
    staging,
    lookForHeartbeat: () => heartbeat.look(),
    record,
  });
  const view: SiteView = new SiteView({
    spec,
    keeper,
    ledger,
    clock,
    canary: { inference: () => inference.view(), vectors: () => vectors.view(), edge: () => edge.view() },
    engineRestarts: engineRestart,
    wellBeside: (part) => reports.wellIn(part),
    ...(leadership === undefined || spec.servers === undefined
      ? {}
      : { servers: () => serversOf(leadership, spec.servers, reports) }),
    isApplying,
    busy: () => operations.busy,
    versions: () => ({ agent: options.agentVersion, ...background.versions }),
    events: () => events.list(),
    outward: () => outward.status(),
    digest: () => digests.status(),
    diverged: () => ledger.state.setAside,
    heartbeat: () => heartbeat.status(),
    restoreTest: () => tester.status(),
    drill: () => drills.status(),
    record,
  });
  const outward: Outward = new Outward({
    spec,
    credentials,
    keeper,
    view,
    clock,
    logger,
    record,
    alertsPath: join(folders.state, 'alerts.json'),
  });
  const metrics: Metrics = new Metrics({
    site: spec.site,
    view,
    keeper,
    gate,
    unpublishedWrites: () => publisher.unpublishedWrites,
    rpoSeconds: spec.snapshots.rpoSeconds,
    ...(options.transfers === undefined ? {} : { transfers: options.transfers }),
  });
  outward.measure(metrics.registry);
  digests.measure(metrics.registry);
  heartbeatMetrics(metrics.registry, () => heartbeat.status());
  drills.measure(metrics.registry);
  restoreTestMetrics(metrics.registry, () => tester.status());
  const gateway = new WriteGateway({
    site: spec.site,
    keeper,
    gate,
    keys: new KeyCheck([credentials.qdrantKey]),
    upstream: { port: spec.vectors.port, apiKey: credentials.qdrantKey },
    isApplying,
    counters: metrics.gateway(),
    ownKey,
    onAcknowledged: ({ url }) => {
      if (!namesCollection(url, HEARTBEAT_COLLECTION)) publisher.countWrite();
    },
    observe: (request) => digests.observe(request),
  });
  const diverged = new Diverged({
    site: spec.site,
    ledger,
    clock,
    record,
    qdrant,
    isWritable: () => keeper.isWritable() && !isApplying(),
    gatewayPort: () => ports.gateway,
    apiKey: credentials.qdrantKey,
  });
  const api = new ApiServer({
    logger,
    keys: { operator: new KeyCheck([credentials.operatorKey]), peer: new KeyCheck([credentials.peerKey]) },
    routes: [
      ...routes({
        view,
        keeper,
        operations,
        peerSite: spec.peer.site,
        publishes: () => catalogue(stores.snapshots, [spec.site, spec.peer.site]),
        digests: digests.digester,
        diverged: diverged.archive,
        merge: (request) => diverged.merge(request),
        drilled: (request) => drills.drilled(request),
        metrics: async () => ({ status: 200, text: await metrics.text() }),
      }),
      ...(leadership === undefined
        ? []
        : serverRoutes({
            facts: () => view.edgeFacts(),
            leads: () => leadership.leads,
            onPromise: (from, term) => leadership.onPromise(from, term),
            standing: (report) => {
              reports.note(report);
              return standingOf();
            },
          })),
    ],
  });
  const standingOf = (): StandingResponse => ({
    leader: spec.servers?.own ?? spec.site,
    term: leadership?.term ?? 0,
    state: keeper.state(),
    holder: keeper.lease()?.holder ?? null,
    writable: keeper.isWritable(),
    holdsForSeconds: keeper.writableForSeconds() ?? 0,
    peer: keeper.peer().health,
    applying: isApplying(),
  });

  const wanted = options.ports ?? { agent: AGENT_PORT, gateway: GATEWAY_PORT };
  const ports: Site['ports'] = {
    gateway: await gateway.listen(wanted.gateway),
    agent: await api.listen(wanted.agent),
  };
  engineRestart.start();
  inference.start();
  vectors.start();
  edge.start();
  keeper.start();
  background.start();
  heartbeat.start();
  await outward.start();
  record('started', `agent ${options.agentVersion} of ${spec.site}`);

  return {
    ports,
    keeper,
    view,
    operations,
    async stop() {
      applier.stop('the agent is stopping');
      tester.stop('the agent is stopping');
      await heartbeat.stop();
      // Writes in flight are still confirmed under the lease, which is then left to the next process to renew.
      await gateway.close();
      await keeper.stop();
      await Promise.all([
        api.close(),
        inference.stop(),
        vectors.stop(),
        edge.stop(),
        background.stop(),
        outward.stop(),
      ]);
      await Promise.all([engineRestart.settled(), digests.stop()]);
      await Promise.all([
        inferenceProbe.close(),
        diverged.close(),
        qdrant.close(),
        peer.close(),
        stores.snapshots.close(),
      ]);
      await events.flush();
    },
  };
}

function serversOf(
  leadership: Pick<Leadership, 'term'>,
  servers: SiteAgentSpec['servers'],
  reports: ServerReports,
): NonNullable<StatusResponse['servers']> {
  return {
    leader: servers?.own ?? '',
    term: leadership.term ?? 0,
    others: reports.of((servers?.others ?? []).map(({ name }) => name)),
  };
}

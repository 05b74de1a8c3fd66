/** Puts the parts of the site agent together. What differs in tests comes in through the options. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  AGENT_PORT,
  EDGE_PORT,
  GATEWAY_PORT,
  HEARTBEAT_COLLECTION,
  type StatusResponse,
} from '../../infra/contract/agent-api';
import { ENGINE_RESTART_REQUEST } from '../../infra/contract/server-paths';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { LeaseKeeper, LineageFile, type LeaseStore } from '../lease';
import type { Logger } from '../shared/logger';
import { routes } from './api/routes';
import { ApiServer } from './api/server';
import { Background } from './background';
import { Canary, type CanaryOptions } from './canary/canary';
import { EdgeProbe } from './canary/edge-probe';
import { InferenceProbe } from './canary/inference-probe';
import { VectorsProbe } from './canary/vectors-probe';
import type { ProbeResult } from './canary/verdict';
import type { Credentials } from './configuration';
import { Digests } from './digest/digests';
import { Diverged } from './diverged/diverged';
import { LoopbackGatewayWriter } from './diverged/gateway-writer';
import { namesCollection } from './gateway/allow-list';
import { WriteGate } from './gateway/write-gate';
import { OWN_KEY_HEADER, WriteGateway } from './gateway/write-gateway';
import { HEARTBEAT_SECONDS, Heartbeat } from './heartbeat/heartbeat';
import { heartbeatMetrics } from './heartbeat/heartbeat-metrics';
import { KeyCheck } from './keys';
import { Metrics } from './metrics';
import { Operations } from './operations';
import { Outward } from './outward';
import { PeerClient } from './peer/client';
import { heldEpoch, type RecordEvent, type SiteClock } from './ports';
import { QdrantClient } from './qdrant/client';
import { EngineRestart } from './recovery/engine-restart';
import { RestartLog } from './recovery/restart-log';
import { RestartRequest } from './recovery/restart-request';
import { SiteView } from './site-view';
import { Applier, type ApplyStep } from './snapshots/apply';
import { Publisher, type PublishStep } from './snapshots/publish';
import { Staging } from './snapshots/staging';
import type { SnapshotStore } from './snapshots/store';
import { siteClock } from './state/clock';
import { WatchedLineage } from './state/watched-lineage';
import { EventLog } from './state/event-log';
import { Ledger } from './state/ledger';

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
  readonly stores: { readonly lease: LeaseStore; readonly snapshots: SnapshotStore };
  readonly logger: Logger;
  readonly agentVersion: string;
  readonly ports?: { readonly agent: number; readonly gateway: number };
  readonly peerOrigin?: (address: string) => string;
  /** In place of the edge on this server's port 443. */
  readonly probeEdge?: () => Promise<ProbeResult>;
  readonly clock?: SiteClock;
  /** How often the holder writes its heartbeat; 0 never. */
  readonly heartbeatSeconds?: number;
  readonly step?: {
    readonly publish?: (step: PublishStep) => Promise<void>;
    readonly apply?: (step: ApplyStep) => Promise<void>;
  };
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
  const ledger = await Ledger.open(join(folders.state, 'ledger.json'));
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
  const lineage = new WatchedLineage(new LineageFile(join(folders.state, 'lineage.json')));
  const askPeer = async (): Promise<StatusResponse> => {
    const status = await peer.status();
    heartbeat.peerReported(status.heartbeat);
    await background.learnPeerParity(status.parity);
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
    onEvent: (event) => {
      events.push(event);
      outward.onEvent(event);
      if (event.kind === 'claimed' || event.kind === 'state') background.wake();
    },
  });

  const digests = new Digests({
    qdrant,
    ledger,
    clock,
    record,
    folder: join(folders.state, 'digests'),
    isHolder: () => heldEpoch(keeper) !== null,
    askPeer: (request) => peer.digestBucket(request),
  });
  const publisher = new Publisher({
    spec,
    store: stores.snapshots,
    qdrant,
    gate,
    keeper,
    ledger,
    clock,
    record,
    agentVersion: options.agentVersion,
    digests: digests.digester,
    ...(options.step?.publish === undefined ? {} : { step: options.step.publish }),
  });
  const staging = new Staging(folders.staging);
  const applier = new Applier({
    spec,
    store: stores.snapshots,
    qdrant,
    staging,
    keeper,
    ledger,
    clock,
    record,
    claimPending: () => lineage.claimPending,
    learnParity: (parity) => background.learnPublishedParity(parity),
    digests: digests.check,
    digestFolder: digests.folder,
    divergedFolder: join(folders.state, 'diverged'),
    ...(options.step?.apply === undefined ? {} : { step: options.step.apply }),
  });
  const operations = new Operations({
    site: spec.site,
    keeper,
    publisher,
    applier,
    peer,
    ledger,
    clock,
    record,
  });
  const isApplying = (): boolean => applier.isTouching;
  const engineRestart = new EngineRestart({
    switching: spec.switching,
    startTimeoutSeconds: spec.inference.startTimeoutSeconds,
    failureThreshold: spec.canary.failureThreshold,
    log: await RestartLog.open(join(folders.state, 'engine-restarts.json'), clock),
    clock,
    request: new RestartRequest(join(folders.requests, ENGINE_RESTART_REQUEST)),
    record,
  });
  const { inferenceProbe, inference, vectors, edge } = canaries(
    options,
    clock,
    qdrant,
    isApplying,
    engineRestart,
    record,
  );
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
    isApplying,
    busy: () => operations.busy,
    versions: () => ({ agent: options.agentVersion, ...background.versions }),
    events: () => events.list(),
    outward: () => outward.status(),
    digest: () => digests.status(),
    diverged: () => ledger.state.setAside,
    heartbeat: () => heartbeat.status(),
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
  });
  outward.measure(metrics.registry);
  digests.measure(metrics.registry);
  heartbeatMetrics(metrics.registry, () => heartbeat.status());
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
    isWritable: () => keeper.isWritable(),
    gatewayPort: () => ports.gateway,
    apiKey: credentials.qdrantKey,
  });
  const api = new ApiServer({
    logger,
    keys: { operator: new KeyCheck([credentials.operatorKey]), peer: new KeyCheck([credentials.peerKey]) },
    routes: routes({
      view,
      keeper,
      operations,
      peerSite: spec.peer.site,
      digests: digests.digester,
      diverged: diverged.archive,
      merge: (request) => diverged.merge(request),
      metrics: async () => ({ status: 200, text: await metrics.text() }),
    }),
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

function canaries(
  options: SiteOptions,
  clock: SiteClock,
  qdrant: QdrantClient,
  isApplying: () => boolean,
  engineRestart: EngineRestart,
  record: RecordEvent,
) {
  const { spec, credentials } = options;
  const { canary } = spec;
  const timeoutMs = canary.timeoutSeconds * 1000;
  const settleMs = Math.min(1_000, timeoutMs / 2);
  const inferenceProbe = new InferenceProbe({
    port: spec.inference.port,
    model: spec.inference.modelName,
    apiKey: credentials.vllmKey,
    timeoutMs,
    settleMs,
  });
  const vectorsProbe = new VectorsProbe({ qdrant, timeoutMs, isApplying });
  const edgeProbe = new EdgeProbe({
    siteHost: spec.siteHost,
    port: EDGE_PORT,
    timeoutMs,
    ...(spec.caCertificate === undefined ? {} : { caCertificate: spec.caCertificate }),
  });
  const build = (
    name: string,
    maxProbeMs: number,
    probe: () => ReturnType<VectorsProbe['probe']>,
    onProbe: CanaryOptions['onProbe'],
  ): Canary =>
    new Canary({
      name,
      intervalMs: canary.intervalSeconds * 1000,
      maxProbeMs,
      rules: canary,
      clock,
      probe,
      ...(onProbe === undefined ? {} : { onProbe }),
      onChange: (health, before, detail) => {
        if (health === 'failing') record('canary-failing', detail);
        if (health === 'healthy' && before === 'failing') record('canary-recovered', detail);
      },
    });
  return {
    inferenceProbe,
    // One missed deadline, then two readings of the metrics.
    inference: build(
      'inference',
      timeoutMs + settleMs + 2_000,
      () => inferenceProbe.probe(),
      (result, health, before) => engineRestart.onProbe(result, health, before),
    ),
    vectors: build('vectors', 2 * timeoutMs, () => vectorsProbe.probe(), undefined),
    edge: build('edge', timeoutMs, options.probeEdge ?? (() => edgeProbe.probe()), undefined),
  };
}

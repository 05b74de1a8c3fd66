/**
 * A server of a site that another server leads: it probes itself, looks after its own engine, and serves reads and
 * completions for as long as its leader says that the site is active. It takes no writes and decides nothing.
 */
import { join } from 'node:path';
import { AGENT_PORT, CANARY_PARTS, type CanaryPart } from '../../../infra/contract/agent-api';
import type { Leadership } from '../../leadership';
import { systemClock } from '../../lease';
import { ApiServer, type Answer, type Route } from '../api/server';
import { canaries } from '../canary/canaries';
import { mayServeInference, mayServeVectors, type EdgeFacts } from '../edge-verdicts';
import { SkippedError } from '../errors';
import { KeyCheck } from '../keys';
import type { RecordEvent } from '../ports';
import { QdrantClient } from '../qdrant/client';
import { notReadyReasons } from '../readiness';
import { engineRestartOf } from '../recovery/of-server';
import type { SiteOptions } from '../site';
import { siteClock } from '../state/clock';
import { EventLog } from '../state/event-log';
import type { Beside } from './beside';
import { NOT_LEADING, serverRoutes } from './routes';
import { Standing } from './standing';

/** Well under the time in which a hand-over could leave a follower with an old word. */
const STANDING_INTERVAL_MS = 500;

export interface FollowerOptions extends Omit<SiteOptions, 'stores' | 'leadership'> {
  readonly leadership: Leadership;
  readonly beside: Beside;
}

export interface Follower {
  readonly standing: Standing;
  stop(): Promise<void>;
}

export async function startFollower(options: FollowerOptions): Promise<Follower> {
  const { spec, credentials, folders, logger, leadership, beside } = options;
  const clock = options.clock ?? siteClock();
  const { site } = spec;
  const server = spec.servers?.own ?? site;
  const events = new EventLog({
    site,
    clock,
    logger,
    epoch: () => null,
    path: join(folders.state, 'events.jsonl'),
  });
  await events.load();
  const record: RecordEvent = (kind, detail) => void events.add(kind, detail);
  const qdrant = new QdrantClient({ port: spec.vectors.port, apiKey: credentials.qdrantKey });
  const engineRestart = await engineRestartOf({ spec, folders, clock, record });
  const probes = canaries({
    spec,
    vllmKey: credentials.vllmKey,
    clock,
    qdrant,
    // What the leader puts into the cluster makes reads of a shard fail for a moment here as well.
    isApplying: () => standing.last?.applying === true,
    engineRestart,
    record,
    ...(options.probeEdge === undefined ? {} : { probeEdge: options.probeEdge }),
  });
  const health = (part: CanaryPart) => probes[part].view();
  const standing: Standing = new Standing({
    whom: () => {
      const leader = leadership.seen()?.leader;
      return leader !== undefined && beside.names.includes(leader) ? [leader] : beside.names;
    },
    ask: (name, report) => beside.standing(name, report),
    report: () => ({
      server,
      canary: {
        inference: health('inference').health,
        vectors: health('vectors').health,
        edge: health('edge').health,
      },
    }),
    now: () => systemClock().now(),
    drift: spec.lease.maxClockDriftPpm / 1e6,
    intervalMs: STANDING_INTERVAL_MS,
  });
  const facts = (): EdgeFacts => ({
    state: standing.last?.state ?? 'unknown',
    holds: standing.holds(),
    inference: health('inference').health,
    vectors: health('vectors').health,
    peer: standing.last?.peer ?? 'unknown',
  });
  const api = new ApiServer({
    logger,
    keys: { operator: new KeyCheck([credentials.operatorKey]), peer: new KeyCheck([credentials.peerKey]) },
    routes: [
      ...serverRoutes({
        facts,
        leads: () => false,
        onPromise: (from, term) => leadership.onPromise(from, term),
        standing: null,
      }),
      ...followerRoutes(() => {
        const canary = {
          inference: health('inference'),
          vectors: health('vectors'),
          edge: health('edge'),
        };
        const holder = standing.last?.holder ?? null;
        return notReadyReasons({ site, writable: standing.writable(), holder, canary });
      }, facts),
      {
        method: 'GET',
        path: '/metrics',
        access: 'operator',
        handle: () => ({ status: 200, text: metrics(server, health) }),
      },
    ],
  });
  await api.listen(options.ports?.agent ?? AGENT_PORT);
  engineRestart.start();
  for (const part of CANARY_PARTS) probes[part].start();
  standing.start();

  return {
    standing,
    async stop() {
      await Promise.all([api.close(), standing.stop(), ...CANARY_PARTS.map((part) => probes[part].stop())]);
      await engineRestart.settled();
      await Promise.all([probes.inferenceProbe.close(), qdrant.close()]);
      await events.flush();
    },
  };

  function followerRoutes(
    reasons: () => ReturnType<typeof notReadyReasons>,
    edgeFacts: () => EdgeFacts,
  ): Route[] {
    const elsewhere = (method: Route['method'], path: string): Route => ({
      method,
      path,
      access: 'open',
      handle: () => NOT_LEADING,
    });
    return [
      open('/readyz', () => {
        const why = reasons();
        const ready = why.length === 0;
        return { status: ready ? 200 : 503, body: { ready, site, reasons: why } };
      }),
      open('/edge/inference', () => verdict(mayServeInference(edgeFacts()))),
      open('/edge/vectors', () => verdict(mayServeVectors(edgeFacts()))),
      ...LEADERS_OWN.map(([method, path]) => elsewhere(method, path)),
      ...TIMED.map((path): Route => ({
        method: 'POST',
        path,
        access: 'operator',
        handle: () => skipped(server),
      })),
    ];
  }
}

/** Whoever asks for these without a leader in sight is told to ask again, as by an edge whose agent is down. */
const LEADERS_OWN: readonly (readonly [Route['method'], string])[] = [
  ['GET', '/promotable'],
  ['GET', '/status'],
  ['POST', '/failover/promote'],
  ['POST', '/failover/switch'],
  ['POST', '/failover/veto'],
  ['POST', '/failover/reprotect'],
  ['GET', '/peer/status'],
  ['POST', '/peer/promise'],
  ['POST', '/peer/apply'],
  ['POST', '/peer/wake'],
];

/** The timers of every server ask their own agent, and only the leader's does it. */
const TIMED = ['/failover/publish', '/failover/apply'] as const;

function skipped(server: string): never {
  throw new SkippedError(
    'NOT_LEADING',
    `${server} does not lead its site; the server that does has a timer too.`,
  );
}

function open(path: string, handle: () => Answer): Route {
  return { method: 'GET', path, access: 'open', handle };
}

function verdict(body: { readonly serve: boolean; readonly why: string }): Answer {
  return { status: body.serve ? 200 : 503, body };
}

function metrics(
  server: string,
  health: (part: CanaryPart) => { readonly health: string },
): NonNullable<Answer['text']> {
  const lines = [
    '# HELP failover_server_leads 1 on the server that leads its site.',
    '# TYPE failover_server_leads gauge',
    `failover_server_leads{server="${server}"} 0`,
    '# HELP failover_server_canary 1 while this server is well in this part.',
    '# TYPE failover_server_canary gauge',
    ...CANARY_PARTS.map(
      (part) =>
        `failover_server_canary{server="${server}",part="${part}"} ${health(part).health === 'healthy' ? 1 : 0}`,
    ),
  ];
  return { type: 'text/plain; version=0.0.4', content: `${lines.join('\n')}\n` };
}

/** Two keepers, one store and a clock that only moves when told. */
import type {
  AgentEvent,
  Health,
  PromotableResponse,
  PublishInfo,
  StatusResponse,
} from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { StoreUnreachableError } from '../errors';
import { LeaseKeeper } from '../keeper';
import { MemoryLeaseStore } from '../memory-store';
import type { Clock, LeaseStore, PeerPort, PersistedState, StatePort } from '../ports';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

export class TestClock implements Clock {
  private time = 1000;
  private readonly timers = new Set<Timer>();

  now(): number {
    return this.time;
  }

  wall(): string {
    return new Date(Date.UTC(2025, 0, 1) + this.time).toISOString();
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** Time passes for everybody but this process, as if it had been stopped. */
  pass(ms: number): void {
    this.time += ms;
  }

  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settled();
    for (;;) {
      const next = [...this.timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.callback();
      await settled();
    }
    this.time = Math.max(this.time, end);
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class MemoryState implements StatePort {
  value: PersistedState | null = null;
  fails = false;

  load(): Promise<PersistedState | null> {
    return Promise.resolve(this.value);
  }

  save(value: PersistedState): Promise<void> {
    if (this.fails) return Promise.reject(new Error('no space left on device'));
    this.value = value;
    return Promise.resolve();
  }
}

export const TTL_MS = 6000;
export const MARGIN_MS = 1000;

export function aSpec(site: string, peer: string, change: Partial<SiteAgentSpec> = {}): SiteAgentSpec {
  return {
    site,
    siteHost: `${site}.test`,
    peer: { site: peer, host: `${peer}.test`, addresses: ['192.0.2.1'] },
    initialHolder: site === 'uk',
    lease: { ttlSeconds: 6, safetyMarginSeconds: 1, maxClockDriftPpm: 500, requestTimeoutSeconds: 1 },
    switching: {
      mode: 'automatic',
      vetoSeconds: 1,
      cooldownSeconds: 0,
      maxSwitchesPerHour: 3,
      handoverSyncSeconds: 2,
      engineRestartGraceSeconds: 0,
      engineRestartsPerHour: 0,
    },
    canary: {
      intervalSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 3,
      recoveryThreshold: 3,
      windowProbes: 10,
      windowFailureRatio: 0.5,
    },
    store: {
      endpoint: 'http://store.test',
      region: 'r',
      leaseBucket: 'l',
      snapshotBucket: 's',
      credentials: 'account',
    },
    snapshots: {
      rpoSeconds: 60,
      history: { allHours: 2, hourlyHours: 48, dailyDays: 31 },
      holdWritesSeconds: 1,
      restoreTestIntervalHours: 0,
      maxMbitPerSecond: 0,
    },
    drillIntervalDays: 0,
    restic: { kind: 'path', path: '/opt/restic' },
    parity: { configHash: 'c', modelSha256: 'a'.repeat(64), qdrantVersion: '1.18.3' },
    inference: { port: 8000, modelName: 'm', startTimeoutSeconds: 600 },
    vectors: { port: 6333 },
    ...change,
  };
}

export class TestSite {
  readonly events: AgentEvent[] = [];
  readonly memory = new MemoryState();
  keeper: LeaseKeeper;
  peer: TestSite | null = null;
  seesWitness = true;
  seesPeer = true;
  promotable = true;
  canary: Health = 'healthy';
  recovering = false;
  sync: PublishInfo | null = { id: 'p', site: 'uk', epoch: 1, points: 1, bytes: 1 };
  /** Looks into the moment of the last sync. */
  onSync: () => void = () => undefined;

  constructor(
    readonly spec: SiteAgentSpec,
    private readonly shared: MemoryLeaseStore,
    private readonly clock: TestClock,
  ) {
    this.keeper = this.makeKeeper();
  }

  /** A new process on the same disk. */
  async restart(): Promise<void> {
    await this.keeper.stop();
    this.keeper = this.makeKeeper();
    this.keeper.start();
  }

  told(kind: AgentEvent['kind']): string[] {
    return this.events.filter((event) => event.kind === kind).map((event) => event.detail);
  }

  private makeKeeper(): LeaseKeeper {
    return new LeaseKeeper({
      spec: this.spec,
      store: this.storePort(),
      peer: this.peerPort(),
      clock: this.clock,
      state: this.memory,
      onEvent: (event) => void this.events.push(event),
      local: {
        promotable: () => this.promotableResponse(),
        canary: () => ({ health: this.canary, since: 0 }),
        recovering: () => this.recovering,
        dataAgeSeconds: () => 42,
        finalSync: () => {
          this.onSync();
          return Promise.resolve(this.sync);
        },
      },
    });
  }

  private promotableResponse(): PromotableResponse {
    const reasons = this.promotable ? [] : [{ code: 'DATA_TOO_OLD', message: 'the data are too old' }];
    return { promotable: this.promotable, site: this.spec.site, reasons };
  }

  private storePort(): LeaseStore {
    const guarded = async <T>(action: () => Promise<T>): Promise<T> => {
      if (!this.seesWitness) throw new StoreUnreachableError('anything', new Error('cut'));
      return action();
    };
    return {
      read: () => guarded(() => this.shared.read()),
      write: (lease, ifMatch) => guarded(() => this.shared.write(lease, ifMatch)),
      appendHistory: (entry) => guarded(() => this.shared.appendHistory(entry)),
      history: () => guarded(() => this.shared.history()),
    };
  }

  private peerPort(): PeerPort {
    const reached = (): TestSite => {
      if (this.peer === null || !this.seesPeer || !this.peer.seesPeer) throw new Error('cut');
      return this.peer;
    };
    return {
      promise: async (request) => reached().keeper.onPromise(request),
      wake: async () => reached().keeper.wake(),
      status: async () => {
        const { keeper, spec, promotable } = reached();
        const lineage = keeper.lineage();
        return {
          site: spec.site,
          state: keeper.state(),
          lease: keeper.lease(),
          witness: keeper.witness(),
          promotable: { promotable: promotable && lineage === null, site: spec.site, reasons: [] },
        } as unknown as StatusResponse;
      },
    };
  }
}

export interface Pair {
  readonly clock: TestClock;
  readonly store: MemoryLeaseStore;
  readonly uk: TestSite;
  readonly eu: TestSite;
}

export function aPair(switching: Partial<SiteAgentSpec['switching']> = {}): Pair {
  const clock = new TestClock();
  const store = new MemoryLeaseStore();
  const base = aSpec('uk', 'eu').switching;
  const change = { switching: { ...base, ...switching } };
  const uk = new TestSite(aSpec('uk', 'eu', change), store, clock);
  const eu = new TestSite(aSpec('eu', 'uk', change), store, clock);
  uk.peer = eu;
  eu.peer = uk;
  return { clock, store, uk, eu };
}

/** Both sites run and uk has taken the first lease. */
export async function startedPair(switching: Partial<SiteAgentSpec['switching']> = {}): Promise<Pair> {
  const pair = aPair(switching);
  pair.uk.keeper.start();
  pair.eu.keeper.start();
  await pair.clock.advance(2 * TTL_MS);
  return pair;
}

export async function stopPair(pair: Pair): Promise<void> {
  await Promise.all([pair.uk.keeper.stop(), pair.eu.keeper.stop()]);
}

/** Two sites' halves of replication around one store: a publisher at uk, an applier at eu. */
import { mkdtempSync, rmSync } from 'node:fs';

import { join } from 'node:path';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { Digests } from '../digest/digests';
import { touchedBy } from '../digest/write-scan';
import { WriteGate } from '../gateway/write-gate';
import { QdrantClient } from '../qdrant/client';
import { Applier, type ApplyStep } from '../snapshots/apply';
import { SnapshotNames } from '../snapshots/capture';
import { Publisher, type PublishStep } from '../snapshots/publish';
import { RestoreTester, type RestoreTesterOptions } from '../snapshots/restore-test';
import { Rewinder, type RewindStep } from '../snapshots/rewind';
import { Staging } from '../snapshots/staging';
import { siteClock } from '../state/clock';
import { Ledger } from '../state/ledger';
import { FakeKeeper } from './fake-keeper';
import { FakeQdrant } from './fake-qdrant';
import { MemorySnapshotStore } from './memory-snapshot-store';
import { scratchFolder } from './scratch';

export const SNAPSHOTS: SiteAgentSpec['snapshots'] = {
  rpoSeconds: 3600,
  history: { allHours: 2, hourlyHours: 48, dailyDays: 31 },
  holdWritesSeconds: 1,
  restoreTestIntervalHours: 0,
  maxMbitPerSecond: 0,
};
export const PARITY: SiteAgentSpec['parity'] = {
  configHash: 'c1',
  modelSha256: 'a'.repeat(64),
  qdrantVersion: '1.18.3',
};

type TesterOptions = Pick<Partial<RestoreTesterOptions>, 'random' | 'freeMemoryBytes'> & {
  readonly intervalHours?: number;
};

export class SiteHalf {
  readonly qdrant = new FakeQdrant();
  readonly events: string[] = [];
  gate = new WriteGate();
  readonly keeper: FakeKeeper;
  readonly folder: string;
  client!: QdrantClient;
  ledger!: Ledger;
  /** Null: this half publishes no digests and compares none. */
  digests: Digests | null = null;
  /** Whom the digests ask which ids differ. */
  peer: SiteHalf | null = null;
  publishStep: ((step: PublishStep) => Promise<void>) | null = null;
  applyStep: ((step: ApplyStep) => Promise<void>) | null = null;
  rewindStep: ((step: RewindStep) => Promise<void>) | null = null;
  freeBytes: (() => Promise<number>) | null = null;
  private readonly clients: QdrantClient[] = [];
  private port = 0;

  constructor(
    readonly site: string,
    readonly store: MemorySnapshotStore,
    holder: string,
  ) {
    this.keeper = new FakeKeeper(site, holder);
    this.folder = mkdtempSync(join(scratchFolder(), `site-${site}-`));
  }

  async start(): Promise<void> {
    this.qdrant.snapshotsPath = join(this.folder, 'snapshots');
    this.port = await this.qdrant.listen();
    await this.restart();
  }

  /** What a new process would have: the ledger from disk, and nothing from memory. */
  async restart(): Promise<void> {
    this.client = new QdrantClient({ port: this.port, apiKey: this.qdrant.apiKey, timeoutMs: 2_000 });
    this.clients.push(this.client);
    this.gate = new WriteGate();
    this.ledger = await Ledger.open(join(this.folder, 'ledger.json'));
  }

  /** From here on it publishes digests and compares them; again, it has what a new process would have. */
  useDigests(waitSeconds?: number): Digests {
    const { client, ledger } = this;
    this.digests = new Digests({
      qdrant: client,
      ledger,
      clock: siteClock(),
      record: (kind, detail) => void this.events.push(`${kind}: ${detail}`),
      folder: join(this.folder, 'digests'),
      isHolder: () => this.keeper.lease()?.holder === this.site,
      askPeer: async ({ publishId, collection, bucket }) => {
        const points = await this.peer?.digests?.digester.doubted(publishId, collection, bucket);
        if (points === undefined) throw new Error('the peer is gone');
        return points === null
          ? null
          : [...points].map(([key, hash]) => [key, hash.payload, hash.vectors] as const);
      },
      ...(waitSeconds === undefined ? {} : { waitSeconds }),
    });
    return this.digests;
  }

  /** A write as the gateway would pass it on: seen by the digests, then in Qdrant. */
  async write(method: 'PUT' | 'POST' | 'DELETE', path: string, body: unknown): Promise<void> {
    const text = JSON.stringify(body);
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { 'api-key': this.qdrant.apiKey, 'content-type': 'application/json' },
      body: text,
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    this.digests?.tracker.mark(
      touchedBy({ method, url: path, encoding: undefined, body: Buffer.from(text) }),
    );
  }

  async stop(): Promise<void> {
    await this.digests?.stop();
    await Promise.all(this.clients.map((client) => client.close()));
    await this.qdrant.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  staging(): Staging {
    return new Staging(
      join(this.folder, 'snapshots', 'staging'),
      this.freeBytes ?? (() => Promise.resolve(1e12)),
    );
  }

  publisher(): Publisher {
    return new Publisher({
      spec: { site: this.site, snapshots: SNAPSHOTS, parity: PARITY },
      store: this.store,
      parts: this.store,
      qdrant: this.client,
      gate: this.gate,
      keeper: this.keeper,
      ledger: this.ledger,
      clock: siteClock(),
      record: (kind, detail) => void this.events.push(`${kind}: ${detail}`),
      agentVersion: 'test',
      ...(this.digests === null ? {} : { digests: this.digests.digester }),
      names: new SnapshotNames(siteClock(), 0),
      step: async (step) => this.publishStep?.(step),
    });
  }

  rewinder(): Rewinder {
    return new Rewinder({
      spec: { site: this.site, peer: { site: this.site === 'uk' ? 'eu' : 'uk', host: '', addresses: [] } },
      store: this.store,
      parts: this.store,
      qdrant: this.client,
      staging: this.staging(),
      keeper: this.keeper,
      ledger: this.ledger,
      publisher: this.publisher(),
      record: (kind, detail) => void this.events.push(`${kind}: ${detail}`),
      replaced: (names) => names.forEach((name) => this.digests?.tracker.markWhole(name)),
      step: async (step) => this.rewindStep?.(step),
    });
  }

  tester(options: TesterOptions = {}): RestoreTester {
    const { intervalHours = 24, ...others } = options;
    const peer = { site: this.site === 'uk' ? 'eu' : 'uk', host: '', addresses: [] };
    return new RestoreTester({
      spec: { site: this.site, peer, snapshots: { ...SNAPSHOTS, restoreTestIntervalHours: intervalHours } },
      store: this.store,
      parts: this.store,
      qdrant: this.client,
      staging: new Staging(join(this.folder, 'snapshots', 'restore-test'), () => Promise.resolve(1e12)),
      keeper: this.keeper,
      ledger: this.ledger,
      clock: siteClock(),
      record: (kind, detail) => void this.events.push(`${kind}: ${detail}`),
      ...others,
    });
  }

  applier(): Applier {
    return new Applier({
      spec: { site: this.site },
      store: this.store,
      parts: this.store,
      qdrant: this.client,
      staging: this.staging(),
      keeper: this.keeper,
      ledger: this.ledger,
      clock: siteClock(),
      record: (kind, detail) => void this.events.push(`${kind}: ${detail}`),
      claimPending: () => this.keeper.claim,
      learnParity: (peerParity) => this.ledger.update({ peerParity }),
      ...(this.digests === null ? {} : { digests: this.digests.check }),
      digestFolder: join(this.folder, 'digests'),
      divergedFolder: join(this.folder, 'diverged'),
      step: async (step) => this.applyStep?.(step),
    });
  }
}

export class World {
  readonly store = new MemorySnapshotStore();
  readonly uk = new SiteHalf('uk', this.store, 'uk');
  readonly eu = new SiteHalf('eu', this.store, 'uk');

  static async start(): Promise<World> {
    const world = new World();
    await world.uk.start();
    await world.eu.start();
    world.uk.qdrant.create('docs', 2);
    world.uk.qdrant.fill('docs', 0, 50);
    world.uk.qdrant.aliases.set('current', 'docs');
    world.uk.qdrant.collection('docs').schema['n'] = { data_type: 'integer', points: 50 };
    return world;
  }

  async stop(): Promise<void> {
    await this.uk.stop();
    await this.eu.stop();
  }
}

/** A step hook that never comes back from the given step: what kill -9 looks like to everybody else. */
export function killAt<Step extends string>(
  wanted: Step,
): { hook: (step: Step) => Promise<void>; killed: Promise<void> } {
  let told: () => void = () => undefined;
  const killed = new Promise<void>((resolve) => {
    told = resolve;
  });
  let reached = false;
  const hook = (step: Step): Promise<void> => {
    if (step !== wanted || reached) return Promise.resolve();
    reached = true;
    told();
    return new Promise<void>(() => undefined);
  };
  return { hook, killed };
}

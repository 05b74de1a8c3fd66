/** Two servers of one site on loopback, each a whole agent, around one Qdrant that stands for their cluster. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { MemoryLeaderStore } from '../../leadership/memory-store';
import { MemoryLeaseStore } from '../../lease';
import { createLogger } from '../../shared/logger';
import { FakeQdrant } from '../testing/fake-qdrant';
import { MemorySnapshotStore } from '../testing/memory-snapshot-store';
import { scratchFolder } from '../testing/scratch';
import { eventually, FakeEngine, KEYS } from '../testing/two-sites';
import { runServer } from './run';

jest.setTimeout(60_000);

const NAMES = ['uk-1', 'uk-2'] as const;
type Name = (typeof NAMES)[number];

class TestServer {
  readonly engine = new FakeEngine();
  readonly state = mkdtempSync(join(scratchFolder(), 'server-'));
  private running: { stop: AbortController; ended: Promise<void> } | null = null;
  private enginePort = 0;

  constructor(
    readonly name: Name,
    readonly world: SiteWorld,
    readonly ports: { readonly agent: number; readonly gateway: number },
  ) {}

  async start(): Promise<void> {
    if (this.enginePort === 0) this.enginePort = await this.engine.listen();
    const stop = new AbortController();
    const spec = this.spec();
    const { world } = this;
    if (spec.servers === undefined) throw new TypeError('a server of several');
    const ended = runServer(
      {
        spec,
        servers: spec.servers,
        credentials: {
          operatorKey: KEYS.operator,
          peerKey: KEYS.peer,
          qdrantKey: KEYS.qdrant,
          vllmKey: KEYS.vllm,
          store: { accessKey: 'a', secretKey: 'b' },
        },
        folders: { state: this.state, staging: join(this.state, 'staging'), requests: this.state },
        stores: () => ({ lease: world.leases, snapshots: world.snapshots, parts: world.snapshots }),
        leaders: world.leaders,
        logger: createLogger(this.name, process.env['TEST_LOG'] ?? 'silent'),
        agentVersion: 'test',
        ports: this.ports,
        probeEdge: () => Promise.resolve({ outcome: 'ok', detail: 'edge answers' }),
        peerOrigin: (address) => `http://127.0.0.1:${world.portOf(address)}`,
      },
      stop.signal,
    );
    this.running = { stop, ended };
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = null;
    running?.stop.abort();
    await running?.ended;
  }

  async dispose(): Promise<void> {
    await this.stop();
    await this.engine.close();
    rmSync(this.state, { recursive: true, force: true });
  }

  async ask(path: string, method = 'GET'): Promise<{ status: number; body: Record<string, unknown> }> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.ports.agent}${path}`, {
        method,
        headers: { authorization: `Bearer ${KEYS.operator}`, connection: 'close' },
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    } catch {
      return { status: 0, body: {} };
    }
  }

  async write(): Promise<number> {
    const url = `http://127.0.0.1:${this.ports.gateway}/collections/docs/points?wait=true`;
    const body = JSON.stringify({ points: [{ id: 1, vector: [0.5, 0.5] }] });
    const headers = { 'api-key': KEYS.qdrant, 'content-type': 'application/json', connection: 'close' };
    return fetch(url, { method: 'PUT', headers, body }).then(
      ({ status }) => status,
      () => 0,
    );
  }

  private spec(): SiteAgentSpec {
    const others = NAMES.filter((name) => name !== this.name).map((name) => ({ name, address: name }));
    return SiteAgentSpec.parse({
      site: 'uk',
      siteHost: 'uk.example.com',
      servers: { own: this.name, founder: this.name === 'uk-1', replicas: 2, others },
      peer: { site: 'eu', host: 'eu.example.com', addresses: ['eu-1'] },
      initialHolder: true,
      lease: { ttlSeconds: 3, safetyMarginSeconds: 0.3, requestTimeoutSeconds: 0.5 },
      switching: { mode: 'automatic', cooldownSeconds: 0, maxSwitchesPerHour: 100, handoverSyncSeconds: 5 },
      canary: { intervalSeconds: 0.1, timeoutSeconds: 0.2, failureThreshold: 3, recoveryThreshold: 4 },
      store: {
        endpoint: 'http://127.0.0.1:1',
        region: 'us-east-1',
        leaseBucket: 'lease',
        snapshotBucket: 'snapshots',
      },
      snapshots: { rpoSeconds: 60, holdWritesSeconds: 2 },
      restic: { kind: 'path', path: '/opt/restic' },
      parity: { configHash: 'c', modelSha256: 'a'.repeat(64), qdrantVersion: this.world.qdrant.version },
      inference: { port: this.enginePort, modelName: 'tiny' },
      vectors: { port: this.world.qdrantPort },
    });
  }
}

class SiteWorld {
  readonly leases = new MemoryLeaseStore();
  readonly leaders = new MemoryLeaderStore();
  readonly snapshots = new MemorySnapshotStore();
  readonly qdrant = new FakeQdrant();
  readonly servers = new Map<string, TestServer>();
  qdrantPort = 0;

  async open(): Promise<void> {
    this.snapshots.close = () => Promise.resolve();
    this.qdrantPort = await this.qdrant.listen();
    this.qdrant.create('docs', 1);
    for (const name of NAMES) {
      const ports = { agent: await freePort(), gateway: await freePort() };
      this.servers.set(name, new TestServer(name, this, ports));
    }
  }

  async close(): Promise<void> {
    for (const server of this.servers.values()) await server.dispose();
    await this.qdrant.close();
  }

  at(name: Name): TestServer {
    const server = this.servers.get(name);
    if (server === undefined) throw new TypeError(name);
    return server;
  }

  portOf(address: string): number {
    return this.servers.get(address)?.ports.agent ?? 1;
  }

  epoch(): number | null {
    const found = this.leases.readNow();
    return found === 'absent' ? null : found.lease.epoch;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

let world: SiteWorld;
beforeEach(async () => {
  world = new SiteWorld();
  await world.open();
});
afterEach(() => world.close());

const ready = async (server: TestServer): Promise<boolean> => (await server.ask('/readyz')).status === 200;

async function bothReady(): Promise<void> {
  for (const name of NAMES) await world.at(name).start();
  await eventually('both servers are ready', async () => {
    const all = await Promise.all(NAMES.map((name) => ready(world.at(name))));
    return all.every(Boolean);
  });
}

it('has one server lead and take writes, and the other ready by its word', async () => {
  await bothReady();
  const [leader, follower] = [world.at('uk-1'), world.at('uk-2')];
  expect((await leader.ask('/server/leading')).status).toBe(200);
  expect((await follower.ask('/server/leading')).status).toBe(503);
  expect(await leader.write()).toBe(200);
  expect(await follower.write()).toBe(0);
  expect((await follower.ask('/status')).body).toMatchObject({ error: { code: 'not-leading' } });
  expect((await follower.ask('/failover/publish', 'POST')).body).toMatchObject({
    skipped: { code: 'NOT_LEADING' },
  });
  expect((await follower.ask('/edge/vectors')).status).toBe(200);
});

it('goes on under the same epoch, with its memory, when the server that leads is lost', async () => {
  await bothReady();
  const [first, second] = [world.at('uk-1'), world.at('uk-2')];
  await eventually('the first publish', async () => (await first.ask('/status')).body['published'] !== null);
  const { published } = (await first.ask('/status')).body;
  const epoch = world.epoch();
  await first.stop();
  const lostAt = Date.now();
  // Reads do not wait for the new leader: the word of the lost one holds as long as its lease.
  expect((await second.ask('/edge/vectors')).status).toBe(200);
  await eventually('the other takes writes', async () => (await second.write()) === 200);
  expect(Date.now() - lostAt).toBeLessThan(3_000);
  expect(world.epoch()).toBe(epoch);
  expect((await second.ask('/status')).body['published']).toMatchObject({
    id: (published as { id: string }).id,
  });
  await first.start();
  await eventually('the lost one is back and follows', () => ready(first));
  expect((await first.ask('/server/leading')).status).toBe(503);
});

it('loses nothing when a server that follows is lost', async () => {
  await bothReady();
  await world.at('uk-2').stop();
  for (let count = 0; count < 20; count += 1) expect(await world.at('uk-1').write()).toBe(200);
});

it('is well as long as one of its engines is', async () => {
  await bothReady();
  world.at('uk-1').engine.mode = 'failing';
  await eventually('the server itself is not ready', async () => !(await ready(world.at('uk-1'))));
  expect((await world.at('uk-1').ask('/status')).body).toMatchObject({ writable: true });
  expect(await ready(world.at('uk-2'))).toBe(true);
});

it('has nobody ready when the lease is the other site’s', async () => {
  await bothReady();
  const { etag } = world.leases.readNow() as { etag: string };
  const stolen = {
    version: 1,
    epoch: 9,
    holder: 'eu',
    nonce: 'eu/x/1',
    ttlSeconds: 3,
    writtenAt: '',
  } as const;
  expect(world.leases.writeNow(stolen, etag)).not.toBe('conflict');
  await eventually('nobody is ready', async () => {
    const all = await Promise.all(NAMES.map((name) => ready(world.at(name))));
    return !all.some(Boolean);
  });
  expect(await world.at('uk-1').write()).not.toBe(200);
});

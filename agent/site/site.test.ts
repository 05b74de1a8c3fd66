import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryLeaseStore } from '../lease';
import {
  addPoints,
  bootstrap,
  lostWrites,
  plannedSwitch,
  protect,
  publishAt,
  reasons,
  reprotect,
  seed,
  type Pair,
} from './testing/failover-story';
import { FakeQdrant } from './testing/fake-qdrant';
import { MemorySnapshotStore } from './testing/memory-snapshot-store';
import { scratchFolder } from './testing/scratch';
import { TestSite, eventually } from './testing/two-sites';

jest.setTimeout(60_000);

let pair: Pair;
let qdrants: Map<TestSite, FakeQdrant>;
let staging: string;

beforeEach(async () => {
  const lease = new MemoryLeaseStore();
  const snapshots = new MemorySnapshotStore();
  // A site that stops closes its own connection, not the store.
  snapshots.close = () => Promise.resolve();
  staging = mkdtempSync(join(scratchFolder(), 'staging-'));
  qdrants = new Map();
  const make = async (site: 'uk' | 'eu'): Promise<TestSite> => {
    const qdrant = new FakeQdrant();
    qdrant.snapshotsPath = join(staging, site);
    const made = new TestSite({
      site,
      qdrantPort: await qdrant.listen(),
      staging: join(staging, site, 'failover-staging'),
      leaseStore: () => lease,
      snapshotStore: () => snapshots,
      parts: snapshots,
      qdrantVersion: qdrant.version,
    });
    qdrants.set(made, qdrant);
    return made;
  };
  const count = async (site: TestSite, collection: string): Promise<number> =>
    qdrants.get(site)?.count(collection) ?? -1;
  pair = { uk: await make('uk'), eu: await make('eu'), count };
});

afterEach(async () => {
  await Promise.all([pair.uk.dispose(), pair.eu.dispose()]);
  await Promise.all([...qdrants.values()].map((qdrant) => qdrant.close()));
  rmSync(staging, { recursive: true, force: true });
});

it('replicates, switches as planned without losing a write, and is protected again at once', async () => {
  const { uk, eu, count } = pair;
  await bootstrap(pair);
  await seed(pair, 20);
  await protect(uk, eu);
  await addPoints(uk, 20, 30);
  await plannedSwitch(uk, eu);
  expect(await count(eu, 'docs')).toBe(30);
  expect(eu.status().lease).toMatchObject({ epoch: 2, holder: 'eu' });
  // Handed over cleanly: what is here is what the new holder has, so no reprotection is needed.
  await eventually('uk could take over again', () => reasons(uk.status()).length === 0);
  await addPoints(eu, 30, 40);
  await plannedSwitch(eu, uk);
  expect(await count(uk, 'docs')).toBe(40);
});

it('takes over by itself when the holder is gone, and fences what comes back until it is re-protected', async () => {
  const { uk, eu, count } = pair;
  await bootstrap(pair);
  await seed(pair, 20);
  await protect(uk, eu);
  await addPoints(uk, 20, 25);
  await uk.halt();
  await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200);
  expect(await count(eu, 'docs')).toBe(20);
  await addPoints(eu, 100, 110);
  await publishAt(eu);

  await uk.start();
  await eventually('uk is fenced', () => uk.status().state === 'fenced');
  expect((await uk.call('GET', '/edge/vectors')).status).toBe(503);
  expect((await uk.call('GET', '/edge/inference')).status).toBe(503);
  expect((await uk.call('POST', '/failover/apply')).body).toMatchObject({ skipped: { code: 'FENCED' } });
  expect(await count(uk, 'docs')).toBe(25);

  await reprotect(uk);
  expect(uk.status().state).toBe('standby');
  expect(await count(uk, 'docs')).toBe(await count(eu, 'docs'));
  const kept = join(uk.state, 'diverged', 'epoch-0000000002', 'contents.json');
  expect(existsSync(kept)).toBe(true);
  expect(JSON.parse(readFileSync(kept, 'utf8'))).toMatchObject({
    collections: [{ name: 'docs', points: 25 }],
  });
  expect(uk.status().events.some((event) => event.detail.includes('own data set aside'))).toBe(true);
});

it('hands over without loss when its own engine hangs', async () => {
  const { uk, eu, count } = pair;
  await bootstrap(pair);
  await seed(pair, 20);
  await protect(uk, eu);
  await addPoints(uk, 20, 25);
  uk.engine.mode = 'hung';
  await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200);
  expect(await count(eu, 'docs')).toBe(25);
  expect(uk.status().canary.inference.health).toBe('failing');
});

it('hands over without loss when nobody can reach its edge any more', async () => {
  const { uk, eu, count } = pair;
  await bootstrap(pair);
  await seed(pair, 20);
  await protect(uk, eu);
  await addPoints(uk, 20, 25);
  uk.edge = { outcome: 'failed', detail: 'the edge does not answer: ECONNREFUSED' };
  await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200);
  expect(await count(eu, 'docs')).toBe(25);
  expect(uk.status().canary).toMatchObject({ inference: { health: 'healthy' }, edge: { health: 'failing' } });
});

describe('a holder whose engine hangs asks for a restart first', () => {
  const begin = async (graceSeconds: number): Promise<Pair> => {
    pair.uk.engineRestartGraceSeconds = graceSeconds;
    await bootstrap(pair);
    await seed(pair, 20);
    await protect(pair.uk, pair.eu);
    pair.uk.engine.mode = 'hung';
    await eventually('uk asks', () => existsSync(pair.uk.engineRestartRequest));
    return pair;
  };

  it('and stays the holder when that helps', async () => {
    const { uk, eu } = await begin(30);
    rmSync(uk.engineRestartRequest);
    uk.engine.mode = 'well';
    await eventually('uk is well', () => uk.status().canary.inference.health === 'healthy');
    await eventually('uk is ready', async () => (await uk.call('GET', '/readyz')).status === 200);
    const kinds = uk.status().events.map(({ kind }) => kind);
    expect(kinds).toContain('engine-restart');
    expect(kinds).not.toContain('handover-decided');
    expect(eu.status().lease).toMatchObject({ epoch: 1, holder: 'uk' });
  });

  it('and hands over when the grace is over and it did not help', async () => {
    const { uk, eu } = await begin(2);
    await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200);
    const at = (kind: string): number =>
      Date.parse(uk.status().events.find((event) => event.kind === kind)?.at ?? '');
    expect(at('handover-decided') - at('engine-restart')).toBeGreaterThanOrEqual(1_900);
    expect(
      uk
        .status()
        .events.map(({ detail }) => detail)
        .join(),
    ).not.toContain('SICK_HOLDER');
  });

  it('but not when its vectors are failing too, which no restart of the engine mends', async () => {
    const { uk, eu } = await begin(30);
    await qdrants.get(uk)?.close();
    await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200, 15);
  });
});

it('has a standby restart its hung engine as well', async () => {
  const { uk, eu } = pair;
  await bootstrap(pair);
  eu.engine.mode = 'hung';
  await eventually('eu asks', () => existsSync(eu.engineRestartRequest));
  expect(uk.status().lease).toMatchObject({ epoch: 1, holder: 'uk' });
});

it('goes on as the holder after a restart, with its ages and events', async () => {
  const { uk, eu } = pair;
  await bootstrap(pair);
  await seed(pair, 5);
  await protect(uk, eu);
  const before = uk.status().published;
  await uk.halt();
  await uk.start();
  await eventually('uk is ready', async () => (await uk.call('GET', '/readyz')).status === 200);
  expect(uk.status().lease).toMatchObject({ epoch: 1, holder: 'uk' });
  expect(uk.status().published?.id).toBe(before?.id);
  expect(uk.status().events.filter((event) => event.kind === 'published').length).toBeGreaterThan(0);
});

it('brings back the writes of a lost holder that nobody else had, by a merge', async () => {
  await lostWrites(pair, (site, collection, id) => {
    const points = qdrants
      .get(site)
      ?.collection(collection)
      .shards.flatMap(({ points: each }) => [...each.values()]);
    const found = points?.find((point) => point.id === id);
    return Promise.resolve(found === undefined ? null : Number(found.payload['n']));
  });
});

it('measures what would be lost by a heartbeat that travels to the other site', async () => {
  const { uk, eu } = pair;
  for (const site of [uk, eu]) site.heartbeatSeconds = 0.25;
  await bootstrap(pair);
  await seed(pair, 20);
  await eventually('uk has written a heartbeat', () => uk.status().heartbeat?.found?.epoch === 1);
  await protect(uk, eu);
  await eventually('eu holds a heartbeat', () => eu.status().heartbeat?.found?.epoch === 1);
  await eventually('uk knows what eu lacks', () => uk.status().heartbeat?.loss?.atLeast === false);
  const before = uk.status().heartbeat?.loss?.writes ?? 0;
  await addPoints(uk, 100, 105);
  await addPoints(uk, 105, 110);
  expect(uk.status().heartbeat?.loss).toMatchObject({ writes: before + 2 });
  const found = eu.status().heartbeat?.found?.sequence ?? 0;
  await protect(uk, eu);
  await eventually('eu holds a newer one', () => (eu.status().heartbeat?.found?.sequence ?? 0) > found);
  await eventually('nothing would be lost', () => uk.status().heartbeat?.loss?.writes === 0);
  const refused = await uk.write('PUT', '/collections/failover%2Dheartbeat/points', { points: [] });
  expect(refused).toMatchObject({ status: 403, body: { error: { code: 'OPERATORS_ONLY' } } });
  // Its own writes are no client's.
  const text = String((await uk.call('GET', '/metrics')).body['text']);
  expect(text).toMatch(/failover_heartbeat_loss_writes\{site="uk"\} 0\n/);
  expect(text).toMatch(/failover_would_lose_writes\{site="uk"\} 0\n/);
});

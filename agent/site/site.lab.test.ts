/**
 * Two site agents with real servers beside them: Qdrant (QDRANT_BIN or the toolchain's) and an S3 store
 * (VERSITYGW_BIN or the toolchain's), with restic (RESTIC_BIN or the toolchain's) between them. Run with `npx jest --config jest.lab.config.js agent/site`.
 */
import { join } from 'node:path';
import { S3LeaseStore } from '../lease';
import { CREDENTIALS, Versitygw, findVersitygw } from '../lease/testing/versitygw';
import { S3SnapshotStore } from './snapshots/s3-store';
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
import { RealQdrant, findQdrant } from './testing/real-qdrant';
import { findRestic, testRestic } from './testing/restic';
import { KEYS, TestSite, eventually } from './testing/two-sites';

jest.setTimeout(180_000);

const versitygw = findVersitygw();
const qdrant = findQdrant();
const restic = findRestic();
const suite =
  versitygw === undefined || qdrant === undefined || restic === undefined ? describe.skip : describe;

suite('two sites with a real Qdrant and a real object store', () => {
  let server: Versitygw;
  let servers: Map<TestSite, RealQdrant>;
  let pair: Pair;

  beforeEach(async () => {
    server = await Versitygw.start(versitygw ?? '');
    await server.makeBucket('failover-lease');
    await server.makeBucket('failover-snapshots');
    servers = new Map();
    const store = { endpoint: server.endpoint, region: 'us-east-1', account: CREDENTIALS };
    const make = async (site: 'uk' | 'eu'): Promise<TestSite> => {
      const real = await RealQdrant.start(qdrant ?? '', KEYS.qdrant);
      const made = new TestSite({
        site,
        qdrantPort: real.port,
        staging: join(real.snapshots, 'failover-staging'),
        leaseStore: () => new S3LeaseStore({ ...store, bucket: 'failover-lease', requestTimeoutMs: 300 }),
        snapshotStore: () => new S3SnapshotStore({ ...store, bucket: 'failover-snapshots' }),
        parts: testRestic(
          site,
          { endpoint: server.endpoint, bucket: 'failover-snapshots' },
          { program: restic ?? '', root: join(real.snapshots, 'failover-parts') },
        ).parts,
        qdrantVersion: await real.client.version(),
      });
      servers.set(made, real);
      return made;
    };
    pair = {
      uk: await make('uk'),
      eu: await make('eu'),
      count: async (site, collection) => (await servers.get(site)?.client.count(collection)) ?? -1,
    };
  });

  afterEach(async () => {
    await Promise.all([pair.uk.dispose(), pair.eu.dispose()]);
    await Promise.all([...servers.values()].map((real) => real.dispose()));
    await server.stop();
  });

  it('replicates, switches as planned and back without losing a write', async () => {
    const { uk, eu, count } = pair;
    await bootstrap(pair);
    await seed(pair, 500);
    await protect(uk, eu);
    await addPoints(uk, 500, 700);
    await plannedSwitch(uk, eu);
    expect(await count(eu, 'docs')).toBe(700);
    expect(await servers.get(eu)?.client.aliases()).toEqual([
      { alias_name: 'current', collection_name: 'docs' },
    ]);
    const info = await servers.get(eu)?.client.collection('docs');
    expect(Object.keys(info?.payload_schema ?? {})).toEqual(['n']);
    await eventually('uk could take over again', () => reasons(uk.status()).length === 0);
    await addPoints(eu, 700, 720);
    await plannedSwitch(eu, uk);
    expect(await count(uk, 'docs')).toBe(720);
  });

  it('takes over from a lost holder, fences it, sets its own data aside and re-protects it', async () => {
    const { uk, eu, count } = pair;
    await bootstrap(pair);
    await seed(pair, 500);
    await protect(uk, eu);
    await addPoints(uk, 500, 600);
    await uk.halt();
    await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200);
    expect(await count(eu, 'docs')).toBe(500);
    await addPoints(eu, 1000, 1010);
    await publishAt(eu);
    await uk.start();
    await eventually('uk is fenced', () => uk.status().state === 'fenced');
    expect(await count(uk, 'docs')).toBe(600);
    await reprotect(uk);
    expect(await count(uk, 'docs')).toBe(510);
    expect(uk.status().state).toBe('standby');
  });

  it('brings back the writes of a lost holder that nobody else had, by a merge', async () => {
    await lostWrites(pair, async (site, collection, id) => {
      const [point] = (await servers.get(site)?.client.retrieve(collection, [id])) ?? [];
      return point === undefined ? null : Number(point.payload?.['n']);
    });
  });

  it('brings a publish back beside the standby’s data in a test, from the store alone', async () => {
    const { uk, eu } = pair;
    await bootstrap(pair);
    await seed(pair, 500);
    await protect(uk, eu);
    const { status, body } = await eu.call('POST', '/failover/restore-test');
    expect({ status, body }).toMatchObject({ status: 200, body: { collection: 'docs', result: 'passed' } });
    expect(eu.status().restoreTest?.verdict).toMatchObject({ result: 'passed', points: body['points'] });
    const metrics = await eu.call('GET', '/metrics');
    expect(metrics.body['text']).toContain('failover_restore_test_passed{site="eu"} 1');
    expect((await uk.call('POST', '/failover/restore-test')).status).toBe(409);
    const collections = async (): Promise<string> => {
      const headers = { 'api-key': KEYS.qdrant };
      return (await fetch(`http://127.0.0.1:${servers.get(eu)?.port}/collections`, { headers })).text();
    };
    // What it used is removed behind the answer.
    await eventually('nothing is left', async () => !(await collections()).includes('restore-test'));
    expect(reasons(eu.status())).toEqual([]);
  });

  it('recovers when the standby’s Qdrant is killed in the middle of an apply', async () => {
    const { uk, eu, count } = pair;
    await bootstrap(pair);
    await seed(pair, 500);
    await protect(uk, eu);
    await addPoints(uk, 500, 900);
    expect((await uk.call('POST', '/failover/publish')).status).toBe(200);
    const applying = eu.call('POST', '/failover/apply');
    await eventually('data is being replaced', () => reasons(eu.status()).includes('APPLYING'));
    await servers.get(eu)?.kill();
    expect((await applying).status).not.toBe(200);
    expect(reasons(eu.status())).toContain('RESTORE_UNVERIFIED');
    await servers.get(eu)?.launch();
    await eventually('the publish is here', async () => {
      await eu.call('POST', '/failover/apply');
      return eu.status().applied?.id === uk.status().published?.id;
    });
    expect(await count(eu, 'docs')).toBe(900);
    await eventually('eu is promotable', () => reasons(eu.status()).length === 0);
  });
});

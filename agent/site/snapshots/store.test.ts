import { utimesSync } from 'node:fs';
import { CREDENTIALS, Versitygw, findVersitygw } from '../../lease/testing/versitygw';
import { MemorySnapshotStore } from '../testing/memory-snapshot-store';
import { newPublishId, type Manifest } from './manifest';
import { S3SnapshotStore } from './s3-store';
import type { SnapshotStore } from './store';

const executable = findVersitygw();

function aManifest(id = newPublishId(1, '2026-01-02T03:04:05.678Z'), site = 'uk'): Manifest {
  return {
    schemaVersion: 2,
    id,
    site,
    epoch: 1,
    startedAt: '2026-01-02T03:04:05.678Z',
    capturedSeconds: 1.5,
    heldSeconds: 0.1,
    exact: true,
    snapshot: 'd'.repeat(64),
    collections: [],
    versions: { agent: 'test', qdrant: '1.18.3' },
    parity: { configHash: 'c', modelSha256: 'a'.repeat(64), qdrantVersion: '1.18.3' },
  };
}

function contract(open: () => Promise<SnapshotStore>): void {
  let store: SnapshotStore;
  beforeEach(async () => {
    store = await open();
  });
  afterEach(() => store.close());

  it('tells the age of a manifest by its own clock', async () => {
    const manifest = aManifest();
    await store.putManifest(manifest);
    const found = await store.readManifest('uk', manifest.id);
    expect(found.manifest).toEqual(manifest);
    expect(found.ageSeconds).toBeGreaterThanOrEqual(0);
    expect(found.ageSeconds).toBeLessThan(5);
  });

  it('says that a publish is missing, which is not the same as a store that cannot be reached', async () => {
    await expect(store.readManifest('uk', aManifest().id)).rejects.toMatchObject({ code: 'PUBLISH_MISSING' });
  });

  it('moves the pointer only from what was read', async () => {
    expect(await store.readLatest()).toBeNull();
    const first = { publishId: 'a', site: 'uk', epoch: 1 };
    expect(await store.moveLatest(first, null)).toBe('moved');
    const read = await store.readLatest();
    expect(read?.pointer).toEqual(first);
    expect(await store.moveLatest({ ...first, publishId: 'b' }, null)).toBe('conflict');
    expect(await store.moveLatest({ ...first, publishId: 'c' }, read?.token ?? '')).toBe('moved');
    expect(await store.moveLatest({ ...first, publishId: 'd' }, read?.token ?? '')).toBe('conflict');
    expect((await store.readLatest())?.pointer.publishId).toBe('c');
  });

  it('lets one of several publishers move the pointer', async () => {
    const racers = Array.from({ length: 6 }, (_, index) =>
      store.moveLatest({ publishId: `p${index}`, site: 'uk', epoch: 1 }, null),
    );
    expect((await Promise.all(racers)).filter((outcome) => outcome === 'moved')).toHaveLength(1);
  });

  it('lists the publishes of a site, oldest first, and removes one without its neighbours', async () => {
    const [one, two] = [
      aManifest('0000000001-20260102T030405Z-0001'),
      aManifest('0000000001-20260102T030405Z-0002'),
    ];
    for (const manifest of [two, one]) await store.putManifest(manifest);
    await store.putManifest(aManifest(one.id, 'eu'));
    expect(await store.listPublishes('uk')).toEqual([one.id, two.id]);
    await store.removePublish('uk', one.id);
    expect(await store.listPublishes('uk')).toEqual([two.id]);
    expect(await store.listPublishes('eu')).toEqual([one.id]);
    await expect(store.readManifest('uk', one.id)).rejects.toMatchObject({ code: 'PUBLISH_MISSING' });
  });
}

describe('a snapshot store in memory', () => contract(async () => new MemorySnapshotStore()));

const [suite, name] =
  executable === undefined
    ? ([describe.skip, 'versitygw (skipped: no executable; set VERSITYGW_BIN or build it)'] as const)
    : ([describe, 'versitygw'] as const);

suite(`a snapshot store in ${name}`, () => {
  let server: Versitygw;
  let buckets = 0;
  const storeAt = (bucket: string, endpoint = server.endpoint) =>
    new S3SnapshotStore({ endpoint, region: 'us-east-1', bucket, account: CREDENTIALS });

  beforeAll(async () => {
    server = await Versitygw.start(executable ?? '');
  });
  afterAll(() => server.stop());

  contract(async () => {
    const bucket = `snapshots-${(buckets += 1)}`;
    await server.makeBucket(bucket);
    return storeAt(bucket);
  });

  it("does not know the age of what was written in the future, for the store's clock was set back", async () => {
    await server.makeBucket('set-back');
    const store = storeAt('set-back');
    const manifest = aManifest('0000000001-20260102T030405Z-0001');
    await store.putManifest(manifest);
    const path = server.pathOf('set-back', `uk/publishes/${manifest.id}/manifest.json`);
    const inAnHour = Date.now() / 1000 + 3_600;
    utimesSync(path, inAnHour, inAnHour);
    expect((await store.readManifest('uk', manifest.id)).ageSeconds).toBeNull();
    await store.close();
  });

  it('refuses a pointer that names no publish', async () => {
    await server.makeBucket('garbage');
    await server.put('garbage', 'latest', '{"publishId":1}');
    const store = storeAt('garbage');
    await expect(store.readLatest()).rejects.toMatchObject({ code: 'POINTER_INVALID' });
    await store.close();
  });

  it('trap 25: calls a store that does not answer unreachable, not empty', async () => {
    const store = storeAt('nowhere', 'http://127.0.0.1:1');
    await expect(store.readLatest()).rejects.toMatchObject({ code: 'SNAPSHOT_STORE_UNREACHABLE' });
    await expect(store.listPublishes('uk')).rejects.toMatchObject({ code: 'SNAPSHOT_STORE_UNREACHABLE' });
    await store.close();
  });

  it('takes a missing bucket for a mistake, not for an empty store', async () => {
    const store = storeAt('nowhere');
    await expect(store.readLatest()).rejects.toMatchObject({ code: 'SNAPSHOT_STORE_UNREACHABLE' });
    await store.close();
  });
});

import { watch } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { create, downloadShard, exactCount, fill, points, shardSnapshot, upsert, until } from './data';
import { Server } from './server';

const SIZE = 128;
const POINTS = 10_000;
const RECOVER = '/collections/c/shards/0/snapshots/recover?wait=true';
const BODY = { location: 'brought.snapshot', priority: 'snapshot' };
let server: Server;

beforeAll(async () => {
  server = await Server.start();
  await create(server.http, 'c', SIZE);
  await fill(server.http, 'c', 0, POINTS, SIZE);
  const snapshot = await shardSnapshot(server.http, 'c');
  const folder = path.join(server.snapshots, 'c', 'shards', '0');
  await mkdir(folder, { recursive: true });
  await writeFile(
    path.join(folder, 'brought.snapshot'),
    await downloadShard(server.http, 'c', snapshot.name),
  );
}, 120_000);
afterAll(() => server.dispose());

test('acknowledged writes survive kill -9', async () => {
  const { http } = server;
  await create(http, 'durable', 4, { shards: 2 });
  await http.put('/collections/durable/index?wait=true', { field_name: 'group', field_schema: 'keyword' });
  await http.post('/collections/aliases', {
    actions: [{ create_alias: { collection_name: 'durable', alias_name: 'durable-alias' } }],
  });
  for (let i = 0; i < 200; i += 1) await upsert(http, 'durable', points(i, i + 1, 4));
  await http.post('/collections/durable/points/delete?wait=true', { points: [0] });
  await server.kill();
  await server.launch();
  expect(await exactCount(http, 'durable-alias')).toBe(199);
  const info = await http.get<{ payload_schema: object }>('/collections/durable');
  expect(info.result.payload_schema).toMatchObject({ group: { data_type: 'keyword', points: 199 } });
});

test('everything survives an orderly stop', async () => {
  await server.stop();
  await server.launch();
  expect(await exactCount(server.http, 'durable-alias')).toBe(199);
  expect(await exactCount(server.http, 'c')).toBe(POINTS);
});

test('trap: while a shard is recovered, writes are acknowledged and then lost', async () => {
  const { http } = server;
  let recovered = false;
  const recovery = http.put(RECOVER, BODY).finally(() => (recovered = true));
  const acknowledged: number[] = [];
  for (let id = 100_000; !recovered; id += 1) {
    const answer = await http.put('/collections/c/points?wait=true', { points: points(id, id + 1, SIZE) });
    if (answer.status === 200) acknowledged.push(id);
  }
  expect((await recovery).status).toBe(200);
  expect(acknowledged.length).toBeGreaterThan(0);
  const kept = await http.post<unknown[]>('/collections/c/points', {
    ids: acknowledged,
    with_payload: false,
  });
  expect(kept.result.length).toBeLessThan(acknowledged.length);
});

test('trap: while a shard is recovered, reads answer 500 "Local shard 0 not found"', async () => {
  const { http } = server;
  let recovered = false;
  const recovery = http.put(RECOVER, BODY).finally(() => (recovered = true));
  const refusals: string[] = [];
  while (!recovered) {
    const answer = await http.post('/collections/c/points/count', { exact: true });
    if (answer.status !== 200) refusals.push(`${answer.status} ${answer.error}`);
  }
  expect((await recovery).status).toBe(200);
  expect(refusals.length).toBeGreaterThan(0);
  expect(new Set(refusals)).toEqual(new Set(['500 Service internal error: Local shard 0 not found']));
});

test('trap: kill -9 late in a recovery leaves a dirty shard, and recovering again repairs it', async () => {
  const { http } = server;
  await leaveDirty();

  const { result } = await http.get<{ local_shards: unknown[] }>('/collections/c/cluster');
  expect(result.local_shards).toEqual([{ shard_id: 0, points_count: 0, state: 'Active' }]);
  // trap 15: ready all the same
  expect((await fetch(`${http.base}/readyz`)).status).toBe(200);
  const read = await http.post('/collections/c/points/count', { exact: true });
  expect([read.status, read.error]).toEqual([500, expect.stringContaining('Dirty shard')]);
  const write = await http.put('/collections/c/points?wait=true', { points: points(0, 1, SIZE) });
  expect(write.status).toBe(500);

  await server.kill();
  await server.launch();
  expect((await http.post('/collections/c/points/count', { exact: true })).status).toBe(500);

  expect((await http.put(RECOVER, BODY)).status).toBe(200);
  expect(await exactCount(http, 'c')).toBe(POINTS);
  await upsert(http, 'c', points(POINTS, POINTS + 1, SIZE));
  expect(await exactCount(http, 'c')).toBe(POINTS + 1);
});

test('a dirty shard does not keep other collections from answering', async () => {
  await leaveDirty();
  expect(await exactCount(server.http, 'durable')).toBe(199);
  expect((await server.http.put(RECOVER, BODY)).status).toBe(200);
});

/** Recovers again and again until a kill falls between the shard's removal and its return; the server is up again then. */
async function leaveDirty(): Promise<void> {
  await until(
    async () => {
      const watcher = watch(server.collectionFolder('c'));
      let killed: Promise<void> | undefined;
      watcher.on('change', (_event, name) => {
        if (name === 'shard_0.initializing') killed ??= server.kill();
      });
      await server.http.put(RECOVER, BODY).then(
        () => undefined,
        () => undefined, // the connection breaks with the server
      );
      watcher.close();
      await (killed ?? server.kill());
      await server.launch();
      const read = await server.http.post('/collections/c/points/count', { exact: true });
      return read.status;
    },
    (status) => status === 500,
  );
}

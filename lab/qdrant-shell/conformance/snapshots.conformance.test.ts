import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { create, downloadShard, exactCount, fill, shardSnapshot, until, type Snapshot } from './data';
import { Server } from './server';

const SIZE = 16;
let server: Server;

beforeAll(async () => {
  server = await Server.start();
  await create(server.http, 'source', SIZE, { shards: 2 });
  await fill(server.http, 'source', 0, 2_000, SIZE);
}, 120_000);
afterAll(() => server.dispose());

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('a shard snapshot', () => {
  test('has a name, a time, a size, and the SHA-256 of its file', async () => {
    const snapshot = await shardSnapshot(server.http, 'source');
    expect(snapshot.name).toMatch(/^source-shard-0-\d{4}(-\d{2}){5}\.snapshot$/);
    expect(snapshot.creation_time).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/);
    const content = await downloadShard(server.http, 'source', snapshot.name);
    expect(content.length).toBe(snapshot.size);
    expect(sha256(content)).toBe(snapshot.checksum);
  });

  test('is listed, deleted, and then gone', async () => {
    const snapshot = await shardSnapshot(server.http, 'source', 1);
    const folder = '/collections/source/shards/1/snapshots';
    const listed = await server.http.get<Snapshot[]>(folder);
    expect(listed.result).toEqual([snapshot]);
    expect((await server.http.delete(`${folder}/${snapshot.name}?wait=true`)).result).toBe(true);
    expect((await server.http.get<Snapshot[]>(folder)).result).toEqual([]);
    expect((await server.http.delete(`${folder}/${snapshot.name}?wait=true`)).status).toBe(404);
    expect(await readdir(path.join(server.snapshots, 'source', 'shards', '1'))).toEqual([]);
  });

  test('lies at <snapshots path>/<collection>/shards/<shard>/<name>, for the server’s own user only', async () => {
    const snapshot = await shardSnapshot(server.http, 'source');
    const file = path.join(server.snapshots, 'source', 'shards', '0', snapshot.name);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
    expect(hash.digest('hex')).toBe(snapshot.checksum);
  });

  test('answers 404 for a shard, a collection or a file that does not exist', async () => {
    const status = async (url: string): Promise<number> => (await server.http.get(url)).status;
    expect(await status('/collections/source/shards/9/snapshots')).toBe(404);
    expect(await status('/collections/missing/shards/0/snapshots')).toBe(404);
    expect((await server.http.post('/collections/source/shards/9/snapshots?wait=true')).status).toBe(404);
  });

  test('is accepted with 202 and made later without wait', async () => {
    const folder = '/collections/source/shards/1/snapshots';
    const answer = await server.http.post(`${folder}?wait=false`);
    expect([answer.status, answer.state]).toEqual([202, 'accepted']);
    const listed = await until(
      async () => (await server.http.get<Snapshot[]>(folder)).result,
      (list) => list.length === 1,
    );
    await server.http.delete(`${folder}/${listed[0]?.name}?wait=true`);
  });

  test('streams whole, and the stream restores', async () => {
    const content = await server.http.download('/collections/source/shards/0/snapshot');
    await create(server.http, 'streamed', SIZE);
    const answer = await server.http.upload(
      '/collections/streamed/shards/0/snapshots/upload?priority=snapshot',
      content,
    );
    expect([answer.status, answer.error]).toEqual([200, '']);
    const { result } = await server.http.get<{ local_shards: { points_count: number }[] }>(
      '/collections/source/cluster',
    );
    expect(await exactCount(server.http, 'streamed')).toBe(result.local_shards[0]?.points_count);
  });
});

test('trap: snapshot names have 1-second resolution, so two in one second share a name', async () => {
  const url = '/collections/source/shards/0/snapshots';
  const sameSecond = await until(
    () => Promise.all([shardSnapshot(server.http, 'source'), shardSnapshot(server.http, 'source')]),
    ([first, second]) => first.name === second.name,
  );
  const listed = (await server.http.get<Snapshot[]>(url)).result;
  expect(listed.filter(({ name }) => name === sameSecond[0].name)).toHaveLength(1);
});

test('trap: a stalled reader of a shard stream holds up the next snapshot until it goes away', async () => {
  await create(server.http, 'large', 128);
  await fill(server.http, 'large', 0, 20_000, 128);
  const stalled = new AbortController();
  const stream = await fetch(`${server.http.base}/collections/large/shards/0/snapshot`, {
    signal: stalled.signal,
  });
  expect(stream.status).toBe(200);
  let made = false;
  const waiting = shardSnapshot(server.http, 'large').then(() => (made = true));
  // reads and writes of points go on meanwhile, each a round trip in which the snapshot could have been made
  for (let i = 0; i < 40; i += 1) await fill(server.http, 'large', i, i + 1, 128);
  expect(await exactCount(server.http, 'large')).toBe(20_000);
  expect(made).toBe(false);
  stalled.abort();
  await waiting;
  expect(made).toBe(true);
});

describe('a collection snapshot', () => {
  test('is created, listed, downloaded and deleted', async () => {
    const { result } = await server.http.post<Snapshot>('/collections/source/snapshots?wait=true');
    expect(result.name).toMatch(/^source-\d+-\d{4}(-\d{2}){5}\.snapshot$/);
    const content = await server.http.download(`/collections/source/snapshots/${result.name}`);
    expect(sha256(content)).toBe(result.checksum);
    expect((await server.http.get<Snapshot[]>('/collections/source/snapshots')).result).toEqual([result]);
    expect((await server.http.delete(`/collections/source/snapshots/${result.name}?wait=true`)).result).toBe(
      true,
    );
    expect((await server.http.get<Snapshot[]>('/collections/source/snapshots')).result).toEqual([]);
  });
});

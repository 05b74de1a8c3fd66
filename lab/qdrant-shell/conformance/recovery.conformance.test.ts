import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  create,
  downloadShard,
  exactCount,
  fill,
  points,
  shardSnapshot,
  upsert,
  until,
  type Snapshot,
} from './data';
import { Server } from './server';

const SIZE = 16;
const POINTS = 500;
let server: Server;
let content: Buffer<ArrayBuffer>;
let checksum: string;

beforeAll(async () => {
  server = await Server.start({ apiKey: 'key-of-the-target' });
  await create(server.http, 'source', SIZE);
  await fill(server.http, 'source', 0, POINTS, SIZE);
  const snapshot = await shardSnapshot(server.http, 'source');
  ({ checksum } = snapshot);
  content = await downloadShard(server.http, 'source', snapshot.name);
}, 120_000);
afterAll(() => server.dispose());

const uploadTo = (collection: string, shard = 0): string =>
  `/collections/${collection}/shards/${shard}/snapshots/upload?wait=true&priority=snapshot`;
const recoverTo = (collection: string, shard = 0): string =>
  `/collections/${collection}/shards/${shard}/snapshots/recover?wait=true`;

/** Puts a file where `location: <name>` of a shard recovery looks for it. */
async function stage(collection: string, name: string, bytes: Uint8Array, shard = 0): Promise<void> {
  const folder = path.join(server.snapshots, collection, 'shards', String(shard));
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, name), bytes);
}

async function withTen(collection: string): Promise<void> {
  await create(server.http, collection, SIZE);
  await upsert(server.http, collection, points(10_000, 10_010, SIZE));
}

describe('recovering a shard', () => {
  test('replaces what was there, and takes writes to old and new points afterwards', async () => {
    await withTen('replaced');
    expect((await server.http.upload(uploadTo('replaced'), content)).result).toBe(true);
    expect(await exactCount(server.http, 'replaced')).toBe(POINTS);
    await upsert(server.http, 'replaced', [{ ...points(3, 4, SIZE)[0]!, payload: { changed: true } }]);
    await upsert(server.http, 'replaced', points(20_000, 20_001, SIZE));
    expect(await exactCount(server.http, 'replaced')).toBe(POINTS + 1);
    const point = await server.http.get<{ payload: unknown }>('/collections/replaced/points/3');
    expect(point.result.payload).toEqual({ changed: true });
  });

  test('takes the name of a file among the shard’s own snapshots', async () => {
    await withTen('named');
    await stage('named', 'brought.snapshot', content);
    const body = { location: 'brought.snapshot', priority: 'snapshot', checksum };
    expect((await server.http.put(recoverTo('named'), body)).result).toBe(true);
    expect(await exactCount(server.http, 'named')).toBe(POINTS);
  });

  test('trap: refuses a file:// location for a shard, which only collection recovery takes', async () => {
    await withTen('by-file');
    await stage('by-file', 'brought.snapshot', content);
    const file = path.join(server.snapshots, 'by-file', 'shards', '0', 'brought.snapshot');
    const body = { location: pathToFileURL(file).href, priority: 'snapshot' };
    const answer = await server.http.put(recoverTo('by-file'), body);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain('URLs with file scheme are not supported');
    expect(await exactCount(server.http, 'by-file')).toBe(10);
  });

  test('does not leave the shard’s folder for a name with a path', async () => {
    const answer = await server.http.put(recoverTo('source'), {
      location: '../0/x.snapshot',
      priority: 'snapshot',
    });
    expect(answer.status).toBe(404);
  });

  test('fetches from an http URL with the key given, across a redirect', async () => {
    await withTen('fetched');
    const keys: (string | string[] | undefined)[] = [];
    const origin = createServer((request, response) => {
      keys.push(request.headers['api-key']);
      if (request.url === '/old') response.writeHead(302, { location: '/new' }).end();
      else response.end(content);
    }).listen(0, '127.0.0.1');
    await once(origin, 'listening');
    try {
      const { port } = origin.address() as AddressInfo;
      const location = `http://127.0.0.1:${port}/old`;
      const body = { location, priority: 'snapshot', checksum, api_key: 'key-of-the-source' };
      const answer = await server.http.put(recoverTo('fetched'), body);
      expect([answer.status, answer.error]).toEqual([200, '']);
    } finally {
      origin.close();
    }
    expect(keys).toEqual(['key-of-the-source', 'key-of-the-source']);
    expect(await exactCount(server.http, 'fetched')).toBe(POINTS);
  });

  test('answers 404 for a missing file, shard or collection', async () => {
    const body = { location: 'missing.snapshot', priority: 'snapshot' };
    expect((await server.http.put(recoverTo('missing'), body)).status).toBe(404);
    expect((await server.http.put(recoverTo('source', 7), body)).status).toBe(404);
  });

  test.each([
    ['no location', { priority: 'snapshot' }],
    ['an unknown priority', { location: 'x.snapshot', priority: 'mine' }],
  ])('refuses %s with 400', async (_what, body) => {
    expect((await server.http.put(recoverTo('source'), body)).status).toBe(400);
  });
});

describe('trap: a bad upload answers 500 and the old data stays', () => {
  const noise = (size: number): Buffer<ArrayBuffer> =>
    Buffer.from(Array.from({ length: size }, (_, i) => (i * 193) & 255));
  test.each<[string, () => Buffer<ArrayBuffer>]>([
    ['a truncated one', () => Buffer.from(content.subarray(0, Math.floor(content.length / 2)))],
    ['garbage', () => noise(100_000)],
    ['an empty one', () => Buffer.alloc(0)],
  ])('%s', async (what, bytes) => {
    const name = `bad-${what.replaceAll(' ', '-')}`;
    await withTen(name);
    const answer = await server.http.upload(uploadTo(name), bytes());
    expect(answer.status).toBe(500);
    expect(answer.error).not.toBe('');
    expect(await exactCount(server.http, name)).toBe(10);
    await upsert(server.http, name, points(10_010, 10_011, SIZE));
    expect(await exactCount(server.http, name)).toBe(11);
  });
});

describe('checksums', () => {
  const wrong = 'f'.repeat(64);

  test('trap: a wrong checksum answers 400 and the old data stays', async () => {
    await withTen('unsummed');
    const uploaded = await server.http.upload(`${uploadTo('unsummed')}&checksum=${wrong}`, content);
    expect(uploaded.status).toBe(400);
    await stage('unsummed', 'brought.snapshot', content);
    const body = { location: 'brought.snapshot', priority: 'snapshot', checksum: wrong };
    const recovered = await server.http.put(recoverTo('unsummed'), body);
    expect(recovered.status).toBe(400);
    expect(recovered.error).toContain(`expected ${wrong}, got ${checksum}`);
    expect(await exactCount(server.http, 'unsummed')).toBe(10);
  });

  test('trap: the upload endpoint’s message swaps expected and actual', async () => {
    await withTen('swapped');
    const uploaded = await server.http.upload(`${uploadTo('swapped')}&checksum=${wrong}`, content);
    expect(uploaded.error).toBe(`Checksum mismatch: expected ${checksum}, actual ${wrong}`);
  });

  test('what is no SHA-256 answers 422', async () => {
    const body = { location: 'x.snapshot', priority: 'snapshot', checksum: 'abc' };
    expect((await server.http.put(recoverTo('source'), body)).status).toBe(422);
  });

  test('a right one is accepted', async () => {
    await withTen('summed');
    expect((await server.http.upload(`${uploadTo('summed')}&checksum=${checksum}`, content)).status).toBe(
      200,
    );
  });

  test('trap: without wait even a wrong checksum answers 202, and the error is never told', async () => {
    await withTen('unwaited');
    await stage('unwaited', 'brought.snapshot', content);
    const url = recoverTo('unwaited').replace('wait=true', 'wait=false');
    const body = { location: 'brought.snapshot', priority: 'snapshot', checksum: wrong };
    const answer = await server.http.put(url, body);
    expect([answer.status, answer.state]).toEqual([202, 'accepted']);
    // a second, right one that is waited for: by then the first has failed without a trace
    expect((await server.http.put(recoverTo('unwaited'), { ...body, checksum })).status).toBe(200);
    expect(await exactCount(server.http, 'unwaited')).toBe(POINTS);
  });
});

describe('trap: a snapshot of the wrong shard is accepted with 200', () => {
  test('of the other shard: points are lost, silently', async () => {
    const { http } = server;
    await create(http, 'two', SIZE, { shards: 2 });
    await fill(http, 'two', 0, POINTS, SIZE);
    const counts = await shardCounts('two');
    const other = await shardSnapshot(http, 'two', 1);
    const bytes = await downloadShard(http, 'two', other.name, 1);
    expect(await http.upload(uploadTo('two', 0), bytes)).toMatchObject({ status: 200, result: true });
    expect(await shardCounts('two')).toEqual([counts[1], counts[1]]);
    const { result } = await http.post<{ points: { id: number }[] }>('/collections/two/points/scroll', {
      limit: 2 * POINTS,
    });
    expect(new Set(result.points.map(({ id }) => id)).size).toBe(counts[1]);
  });

  test('of another dimension: accepted, then searches fail', async () => {
    const { http } = server;
    await create(http, 'other-size', 8);
    expect((await http.upload(uploadTo('other-size'), content)).status).toBe(200);
    expect(await exactCount(http, 'other-size')).toBe(POINTS);
    const search = await http.post('/collections/other-size/points/search', {
      vector: Array(8).fill(1),
      limit: 1,
    });
    expect(search.status).toBeGreaterThanOrEqual(400);
  });

  async function shardCounts(collection: string): Promise<number[]> {
    const { result } = await server.http.get<{ local_shards: { points_count: number }[] }>(
      `/collections/${collection}/cluster`,
    );
    return result.local_shards.map(({ points_count }) => points_count);
  }
});

test('trap: several full recoveries at once all answer 200', async () => {
  await withTen('thrice');
  await stage('thrice', 'brought.snapshot', content);
  const body = { location: 'brought.snapshot', priority: 'snapshot' };
  const answers = await Promise.all([1, 2, 3].map(() => server.http.put(recoverTo('thrice'), body)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(await exactCount(server.http, 'thrice')).toBe(POINTS);
});

test('trap: recovery goes on after the client has left', async () => {
  await withTen('left');
  await stage('left', 'brought.snapshot', content);
  const leaving = new AbortController();
  const sent = fetch(`${server.http.base}${recoverTo('left')}`, {
    method: 'PUT',
    headers: { ...server.http.headers, 'content-type': 'application/json' },
    body: JSON.stringify({ location: 'brought.snapshot', priority: 'snapshot' }),
    signal: leaving.signal,
  }).catch((error: unknown) => error);
  await until(
    async () => (await server.http.get('/collections/left')).status,
    (status) => status === 200,
  );
  leaving.abort();
  await sent;
  await until(
    () => exactCount(server.http, 'left').catch(() => -1),
    (count) => count === POINTS,
  );
});

describe('recovering a collection', () => {
  let snapshot: Snapshot;
  let whole: Buffer<ArrayBuffer>;

  beforeAll(async () => {
    const { http } = server;
    await create(http, 'origin', SIZE, { shards: 2 });
    await fill(http, 'origin', 0, POINTS, SIZE);
    await http.put('/collections/origin/index?wait=true', { field_name: 'group', field_schema: 'keyword' });
    await http.post('/collections/aliases', {
      actions: [{ create_alias: { collection_name: 'origin', alias_name: 'origin-alias' } }],
    });
    snapshot = (await http.post<Snapshot>('/collections/origin/snapshots?wait=true')).result;
    whole = await http.download(`/collections/origin/snapshots/${snapshot.name}`);
  });

  const schemaOf = async (collection: string): Promise<string[]> => {
    const { result } = await server.http.get<{ payload_schema: object }>(`/collections/${collection}`);
    return Object.keys(result.payload_schema);
  };

  test('trap 12: registers payload indexes when it creates the collection', async () => {
    const answer = await server.http.upload(
      '/collections/made/snapshots/upload?wait=true&priority=snapshot',
      whole,
    );
    expect([answer.status, answer.error]).toEqual([200, '']);
    expect(await exactCount(server.http, 'made')).toBe(POINTS);
    expect(await schemaOf('made')).toEqual(['group']);
  });

  test('trap 12: does not register payload indexes when the collection exists', async () => {
    await create(server.http, 'existing', SIZE, { shards: 2 });
    const answer = await server.http.upload(
      '/collections/existing/snapshots/upload?priority=snapshot',
      whole,
    );
    expect(answer.status).toBe(200);
    expect(await exactCount(server.http, 'existing')).toBe(POINTS);
    expect(await schemaOf('existing')).toEqual([]);
  });

  test('trap 12: aliases are not in snapshots', async () => {
    await server.http.upload('/collections/unaliased/snapshots/upload?priority=snapshot', whole);
    expect(
      (await server.http.get<{ aliases: unknown[] }>('/collections/unaliased/aliases')).result.aliases,
    ).toEqual([]);
  });

  test('keeps the configuration of a collection that exists', async () => {
    const { http } = server;
    await create(http, 'configured', SIZE, { shards: 2 });
    await http.call('PATCH', '/collections/configured', { optimizers_config: { indexing_threshold: 4_321 } });
    await http.upload('/collections/configured/snapshots/upload?priority=snapshot', whole);
    const { result } = await http.get<{ config: unknown }>('/collections/configured');
    expect(result.config).toMatchObject({ optimizer_config: { indexing_threshold: 4_321 } });
  });

  test.each<[string, number, { shards?: number; distance?: string }]>([
    ['another vector size', 8, { shards: 2 }],
    ['another distance', SIZE, { shards: 2, distance: 'Cosine' }],
    ['another number of shards', SIZE, { shards: 3 }],
  ])('refuses %s with 400', async (what, size, options) => {
    const name = what.replaceAll(' ', '-');
    await create(server.http, name, size, options);
    const answer = await server.http.upload(`/collections/${name}/snapshots/upload?priority=snapshot`, whole);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain('Snapshot is not compatible with existing collection');
    expect(await exactCount(server.http, name)).toBe(0);
  });

  test('takes a file:// location under its snapshots path, and 403 elsewhere', async () => {
    const { http } = server;
    const recover = (file: string) =>
      http.put('/collections/by-location/snapshots/recover?wait=true', {
        location: pathToFileURL(file).href,
        priority: 'snapshot',
        checksum: snapshot.checksum,
      });
    const inside = path.join(server.snapshots, 'origin', snapshot.name);
    const outside = path.join(server.folder, 'outside.snapshot');
    await copyFile(inside, outside);
    expect((await recover(outside)).status).toBe(403);
    expect((await recover(path.join(server.snapshots, 'missing.snapshot'))).status).toBe(400);
    expect((await recover(inside)).status).toBe(200);
    expect(await exactCount(http, 'by-location')).toBe(POINTS);
  });

  test('trap 17: uploads stay on disk, unlisted', async () => {
    const { http } = server;
    const good = await http.upload('/collections/kept/snapshots/upload?priority=snapshot', whole, 'good.bin');
    const bad = await http.upload(
      '/collections/kept/snapshots/upload?priority=snapshot',
      Buffer.from(whole.subarray(0, 50_000)),
      'bad.bin',
    );
    expect([good.status, bad.status]).toEqual([200, 500]);
    expect(await readdir(path.join(server.snapshots, 'kept'))).toEqual(
      expect.arrayContaining(['good.bin', 'bad.bin']),
    );
    expect((await http.get('/collections/kept/snapshots')).result).toEqual([]);
  });
});

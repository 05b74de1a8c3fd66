import { create, exactCount, fill, points, upsert, vectorOf } from './data';
import { Server } from './server';

const UUID = '5c56c793-69f3-4fbf-87e6-c4bf54c28c26';
let server: Server;

beforeAll(async () => {
  server = await Server.start();
}, 120_000);
afterAll(() => server.dispose());

interface Point {
  readonly id: number | string;
  readonly payload?: Record<string, unknown>;
  readonly vector?: number[];
  readonly score?: number;
}

describe.each([1, 2])('points over %d shard(s)', (shards) => {
  const name = `points-${shards}`;
  const at = (rest: string): string => `/collections/${name}/points${rest}`;
  const retrieve = async (ids: readonly (number | string)[]): Promise<Point[]> =>
    (await server.http.post<Point[]>(at(''), { ids, with_payload: true, with_vector: true })).result;

  beforeAll(async () => {
    await create(server.http, name, 4, { shards });
    await fill(server.http, name, 0, 50, 4);
  });

  test('are acknowledged as completed with wait, else as acknowledged', async () => {
    const put = (wait: string) =>
      server.http.put<{ status: string }>(`${at('')}${wait}`, { points: points(0, 1, 4) });
    expect((await put('?wait=true')).result.status).toBe('completed');
    expect((await put('?wait=false')).result.status).toBe('acknowledged');
    expect((await put('')).result.status).toBe('acknowledged');
  });

  test('come back by id with payload and vector, in the order asked for', async () => {
    const found = await retrieve([7, 3, 999]);
    expect(found.map(({ id }) => id)).toEqual([7, 3]);
    expect(found[0]?.payload).toEqual({ n: 7, group: 'g2' });
    vectorOf(7, 4).forEach((value, i) => expect(found[0]?.vector?.[i]).toBeCloseTo(value, 6));
  });

  test('answer 404 when a single one is missing', async () => {
    expect((await server.http.get(at('/999'))).status).toBe(404);
    expect((await server.http.get<Point>(at('/7'))).result.payload).toEqual({ n: 7, group: 'g2' });
  });

  test('may have UUIDs for ids', async () => {
    await upsert(server.http, name, [{ id: UUID, vector: [1, 2, 3, 4], payload: { n: -1 } }]);
    expect((await retrieve([UUID]))[0]).toMatchObject({ id: UUID, payload: { n: -1 } });
    await server.http.post(`${at('/delete')}?wait=true`, { points: [UUID] });
    expect(await retrieve([UUID])).toEqual([]);
  });

  test('refuse a wrong dimension with 400', async () => {
    const answer = await server.http.put(`${at('')}?wait=true`, { points: [{ id: 1, vector: [1, 2] }] });
    expect(answer.status).toBe(400);
    expect(answer.error).toContain('expected dim: 4, got 2');
  });

  test.each([
    ['a word for an id', { points: [{ id: 'seven', vector: [1, 2, 3, 4] }] }],
    ['no vector', { points: [{ id: 1 }] }],
    ['no points', { nothing: true }],
  ])('refuse %s with 400', async (_what, body) => {
    expect((await server.http.put(`${at('')}?wait=true`, body)).status).toBe(400);
  });

  test('refuse what is not JSON with 400', async () => {
    const response = await fetch(`${server.http.base}${at('')}?wait=true`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"points": [',
    });
    expect(response.status).toBe(400);
  });

  test('change their payload: set, overwrite, delete keys, clear', async () => {
    const change = async (method: 'POST' | 'PUT', path: string, body: object): Promise<unknown> => {
      const answer = await server.http.call(method, `${at(path)}?wait=true`, { ...body, points: [10] });
      expect(answer.status).toBe(200);
      return (await retrieve([10]))[0]?.payload;
    };
    expect(await change('POST', '/payload', { payload: { extra: true } })).toEqual({
      n: 10,
      group: 'g0',
      extra: true,
    });
    expect(await change('POST', '/payload/delete', { keys: ['extra'] })).toEqual({ n: 10, group: 'g0' });
    expect(await change('PUT', '/payload', { payload: { only: 1 } })).toEqual({ only: 1 });
    expect(await change('POST', '/payload/clear', {})).toEqual({});
    await upsert(server.http, name, points(10, 11, 4));
  });

  test('change their vectors', async () => {
    const body = { points: [{ id: 11, vector: [9, 9, 9, 9] }] };
    expect((await server.http.put(`${at('/vectors')}?wait=true`, body)).status).toBe(200);
    expect((await retrieve([11]))[0]).toMatchObject({ vector: [9, 9, 9, 9], payload: { n: 11 } });
    await upsert(server.http, name, points(11, 12, 4));
  });

  test('change in batches, in order', async () => {
    const operations = [
      { upsert: { points: points(100, 102, 4) } },
      { set_payload: { payload: { marked: true }, points: [100] } },
      { delete: { points: [101] } },
    ];
    const answer = await server.http.post<{ status: string }[]>(`${at('/batch')}?wait=true`, { operations });
    expect(answer.result.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
    expect((await retrieve([100, 101])).map(({ id, payload }) => [id, payload?.['marked']])).toEqual([
      [100, true],
    ]);
    await server.http.post(`${at('/delete')}?wait=true`, { points: [100] });
  });

  test('are taken column by column', async () => {
    const batch = {
      ids: [200, 201],
      vectors: [vectorOf(200, 4), vectorOf(201, 4)],
      payloads: [{ n: 200 }, { n: 201 }],
    };
    expect((await server.http.put(`${at('')}?wait=true`, { batch })).status).toBe(200);
    expect((await retrieve([200, 201])).map(({ payload }) => payload)).toEqual([{ n: 200 }, { n: 201 }]);
    await server.http.post(`${at('/delete')}?wait=true`, {
      filter: { must: [{ key: 'n', range: { gte: 200 } }] },
    });
    expect(await retrieve([200, 201])).toEqual([]);
  });

  test('are counted, exactly and by filter', async () => {
    expect(await exactCount(server.http, name)).toBe(50);
    const filter = { must: [{ key: 'group', match: { value: 'g1' } }] };
    const answer = await server.http.post<{ count: number }>(at('/count'), { filter, exact: true });
    expect(answer.result.count).toBe(10);
  });

  test('are scrolled in the order of their ids to the last page', async () => {
    const ids: (number | string)[] = [];
    let offset: number | string | null | undefined;
    let pages = 0;
    do {
      const body = { limit: 20, with_payload: false, ...(offset === undefined ? {} : { offset }) };
      const { result } = await server.http.post<Page>(at('/scroll'), body);
      ids.push(...result.points.map(({ id }) => id));
      offset = result.next_page_offset;
      pages += 1;
    } while (offset !== null && offset !== undefined);
    expect(pages).toBe(3);
    expect(ids).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test('are scrolled by a filter', async () => {
    const filter = { must: [{ key: 'n', range: { gte: 10, lt: 13 } }], must_not: [{ has_id: [11] }] };
    const { result } = await server.http.post<Page>(at('/scroll'), { filter });
    expect(result.points.map(({ id }) => id)).toEqual([10, 12]);
  });

  test('are found by search and by query, nearest first', async () => {
    const vector = vectorOf(7, 4);
    const dot = (id: number): number =>
      vectorOf(id, 4).reduce((sum, value, i) => sum + value * (vector[i] ?? 0), 0);
    const best = Array.from({ length: 50 }, (_, i) => i)
      .sort((a, b) => dot(b) - dot(a))
      .slice(0, 5);
    const searched = await server.http.post<Point[]>(at('/search'), { vector, limit: 5, with_payload: true });
    expect(searched.result.map(({ id }) => id)).toEqual(best);
    expect(searched.result[0]?.payload).toEqual({ n: best[0], group: `g${(best[0] ?? 0) % 5}` });
    const queried = await server.http.post<{ points: Point[] }>(at('/query'), {
      query: vector,
      limit: 3,
      offset: 2,
    });
    expect(queried.result.points.map(({ id }) => id)).toEqual(best.slice(2));
    expect(queried.result.points[0]?.score).toBeCloseTo(dot(best[2] ?? 0), 5);
    expect(queried.result.points[0]).not.toHaveProperty('payload');
  });

  test('are found in batches', async () => {
    const one = { vector: vectorOf(1, 4), limit: 1 };
    const searched = await server.http.post<Point[][]>(at('/search/batch'), {
      searches: [one, { ...one, limit: 2 }],
    });
    expect(searched.result.map((list) => list.length)).toEqual([1, 2]);
    const query = { query: vectorOf(1, 4), limit: 1 };
    const queried = await server.http.post<{ points: Point[] }[]>(at('/query/batch'), {
      searches: [query, { ...query, limit: 4 }],
    });
    expect(queried.result.map((list) => list.points.length)).toEqual([1, 4]);
  });

  test('are found near a point, which is left out itself', async () => {
    const { result } = await server.http.post<{ points: Point[] }>(at('/query'), { query: 7, limit: 50 });
    expect(result.points).toHaveLength(49);
    expect(result.points.map(({ id }) => id)).not.toContain(7);
  });

  test('are recommended from examples', async () => {
    const query = { recommend: { positive: [1, 2], negative: [3] } };
    const { result } = await server.http.post<{ points: Point[] }>(at('/query'), { query, limit: 5 });
    expect(result.points).toHaveLength(5);
    const old = await server.http.post<Point[]>(at('/recommend'), {
      positive: [1, 2],
      negative: [3],
      limit: 5,
    });
    expect(old.result.map(({ id }) => id)).toEqual(result.points.map(({ id }) => id));
  });

  test('are grouped', async () => {
    const body = { query: vectorOf(1, 4), group_by: 'group', group_size: 2, limit: 5, with_payload: true };
    const { result } = await server.http.post<{ groups: { id: string; hits: Point[] }[] }>(
      at('/query/groups'),
      body,
    );
    expect(result.groups.map(({ id }) => id).sort()).toEqual(['g0', 'g1', 'g2', 'g3', 'g4']);
    expect(result.groups.every(({ hits }) => hits.length === 2)).toBe(true);
  });

  test('are counted by the values of an indexed field', async () => {
    await server.http.put(`/collections/${name}/index?wait=true`, {
      field_name: 'group',
      field_schema: 'keyword',
    });
    const { result } = await server.http.post<{ hits: unknown[] }>(`/collections/${name}/facet`, {
      key: 'group',
    });
    expect(result.hits).toHaveLength(5);
    expect(result.hits).toContainEqual({ value: 'g3', count: 10 });
  });

  test('are deleted', async () => {
    await server.http.post(`${at('/delete')}?wait=true`, { points: [0, 1] });
    expect(await exactCount(server.http, name)).toBe(48);
  });
});

interface Page {
  readonly points: Point[];
  readonly next_page_offset?: number | string | null;
}

test('the official client gets by: collections, points, queries, aliases, snapshots', async () => {
  const client = server.client();
  await client.createCollection('client', {
    vectors: { text: { size: 4, distance: 'Cosine' } },
    sparse_vectors: { words: {} },
  });
  await client.upsert('client', {
    wait: true,
    points: [
      {
        id: 1,
        vector: { text: [1, 0, 0, 0], words: { indices: [1, 5], values: [0.5, 1] } },
        payload: { city: 'London' },
      },
      {
        id: 2,
        vector: { text: [0, 1, 0, 0], words: { indices: [5], values: [2] } },
        payload: { city: 'Paris' },
      },
    ],
  });
  await client.createPayloadIndex('client', { field_name: 'city', field_schema: 'keyword', wait: true });
  const dense = await client.query('client', {
    query: [1, 0, 0, 0],
    using: 'text',
    limit: 1,
    with_payload: true,
  });
  expect(dense.points[0]).toMatchObject({ id: 1, payload: { city: 'London' } });
  const sparse = await client.query('client', {
    query: { indices: [5], values: [1] },
    using: 'words',
    limit: 1,
  });
  expect(sparse.points[0]?.id).toBe(2);
  const fused = await client.query('client', {
    prefetch: [
      { query: [1, 0, 0, 0], using: 'text', limit: 2 },
      { query: { indices: [5], values: [1] }, using: 'words', limit: 2 },
    ],
    query: { fusion: 'rrf' },
    limit: 2,
  });
  expect(fused.points).toHaveLength(2);
  await client.updateCollectionAliases({
    actions: [{ create_alias: { collection_name: 'client', alias_name: 'client-live' } }],
  });
  expect((await client.count('client-live', { exact: true })).count).toBe(2);
  const record = (await client.retrieve('client', { ids: [1], with_vector: true }))[0];
  expect(record?.vector).toEqual({ text: [1, 0, 0, 0], words: { indices: [1, 5], values: [0.5, 1] } });
  expect((await client.scroll('client', { limit: 10 })).points.map(({ id }) => id)).toEqual([1, 2]);
  const snapshot = await client.createSnapshot('client');
  expect((await client.listSnapshots('client')).map(({ name }) => name)).toEqual([snapshot?.name]);
  expect(await client.deleteCollection('client')).toBe(true);
});

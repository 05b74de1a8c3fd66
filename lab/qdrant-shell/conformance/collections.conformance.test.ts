import { create, fill, points, upsert } from './data';
import { Server } from './server';

let server: Server;

beforeAll(async () => {
  server = await Server.start();
}, 120_000);
afterAll(() => server.dispose());

interface Info {
  readonly status: string;
  readonly optimizer_status: string;
  readonly points_count: number;
  readonly config: { readonly params: Record<string, unknown> };
  readonly payload_schema: Record<string, { readonly data_type: string; readonly points: number }>;
}

describe('a collection', () => {
  test('is created, listed, described and deleted', async () => {
    const { http } = server;
    await create(http, 'whole', 4, { shards: 2, distance: 'Cosine' });
    const list = await http.get<{ collections: { name: string }[] }>('/collections');
    expect(list.result.collections.map(({ name }) => name)).toContain('whole');
    const info = await http.get<Info>('/collections/whole');
    expect(info.result).toMatchObject({
      status: 'green',
      optimizer_status: 'ok',
      points_count: 0,
      payload_schema: {},
      config: {
        params: { vectors: { size: 4, distance: 'Cosine' }, shard_number: 2, replication_factor: 1 },
      },
    });
    expect((await http.delete('/collections/whole')).result).toBe(true);
    expect((await http.get('/collections/whole')).status).toBe(404);
  });

  test('says false when a missing one is deleted', async () => {
    expect(await server.http.delete('/collections/missing')).toMatchObject({ status: 200, result: false });
  });

  test('answers 404 with its name when it does not exist', async () => {
    const answer = await server.http.get('/collections/missing');
    expect(answer).toMatchObject({ status: 404, error: "Not found: Collection `missing` doesn't exist!" });
  });

  test('refuses a name that is taken with 409', async () => {
    await create(server.http, 'taken', 4);
    const again = await server.http.put('/collections/taken', { vectors: { size: 4, distance: 'Dot' } });
    expect(again).toMatchObject({ status: 409, error: 'Wrong input: Collection `taken` already exists!' });
  });

  test('tells whether it exists', async () => {
    await create(server.http, 'present', 4);
    expect((await server.http.get('/collections/present/exists')).result).toEqual({ exists: true });
    expect((await server.http.get('/collections/absent/exists')).result).toEqual({ exists: false });
  });

  test('refuses an unknown distance with 400', async () => {
    const answer = await server.http.put('/collections/odd', { vectors: { size: 4, distance: 'Nearest' } });
    expect(answer.status).toBe(400);
  });

  test('changes its tunables and keeps its vectors', async () => {
    await create(server.http, 'tuned', 4);
    const change = { optimizers_config: { indexing_threshold: 5_000 }, params: { on_disk_payload: false } };
    expect((await server.http.call('PATCH', '/collections/tuned', change)).result).toBe(true);
    const { result } = await server.http.get<Info>('/collections/tuned');
    expect(result.config).toMatchObject({
      optimizer_config: { indexing_threshold: 5_000 },
      params: { on_disk_payload: false, vectors: { size: 4, distance: 'Dot' } },
    });
  });

  test('shows its shards, all local and Active, with their points', async () => {
    await create(server.http, 'sharded', 4, { shards: 3 });
    await fill(server.http, 'sharded', 0, 300, 4);
    const { result } = await server.http.get<Cluster>('/collections/sharded/cluster');
    expect(result.shard_count).toBe(3);
    expect(result.remote_shards).toEqual([]);
    expect(result.local_shards.map(({ shard_id, state }) => [shard_id, state])).toEqual([
      [0, 'Active'],
      [1, 'Active'],
      [2, 'Active'],
    ]);
    const counts = result.local_shards.map(({ points_count }) => points_count);
    expect(counts.every((count) => count > 0)).toBe(true);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
  });
});

interface Cluster {
  readonly shard_count: number;
  readonly local_shards: readonly {
    readonly shard_id: number;
    readonly state: string;
    readonly points_count: number;
  }[];
  readonly remote_shards: readonly unknown[];
}

describe('aliases', () => {
  test('name a collection, move in one step, and are listed', async () => {
    const { http } = server;
    await create(http, 'blue', 4);
    await create(http, 'green', 4);
    await upsert(http, 'green', points(0, 3, 4));
    const make = (collection: string) => ({
      create_alias: { collection_name: collection, alias_name: 'live' },
    });
    expect((await http.post('/collections/aliases', { actions: [make('blue')] })).result).toBe(true);
    const move = [{ delete_alias: { alias_name: 'live' } }, make('green')];
    await http.post('/collections/aliases', { actions: move });
    const listed = await http.get<{ aliases: unknown[] }>('/aliases');
    expect(listed.result.aliases).toEqual([{ alias_name: 'live', collection_name: 'green' }]);
    expect((await http.get<{ aliases: unknown[] }>('/collections/blue/aliases')).result.aliases).toEqual([]);
    const counted = await http.post('/collections/live/points/count', { exact: true });
    expect(counted.result).toEqual({ count: 3 });
  });

  test('change all or not at all', async () => {
    const actions = [
      { create_alias: { collection_name: 'blue', alias_name: 'half' } },
      { create_alias: { collection_name: 'nowhere', alias_name: 'other' } },
    ];
    expect((await server.http.post('/collections/aliases', { actions })).status).toBe(404);
    const listed = await server.http.get<{ aliases: { alias_name: string }[] }>('/aliases');
    expect(listed.result.aliases.map(({ alias_name }) => alias_name)).not.toContain('half');
  });

  test('go with their collection', async () => {
    await server.http.delete('/collections/green');
    const listed = await server.http.get<{ aliases: unknown[] }>('/aliases');
    expect(listed.result.aliases).toEqual([]);
  });
});

describe('payload indexes', () => {
  test('are created, shown with their type and points, and dropped', async () => {
    const { http } = server;
    await create(http, 'indexed', 4, { shards: 2 });
    await fill(http, 'indexed', 0, 20, 4);
    const index = (field_name: string, field_schema: unknown) =>
      http.put<{ status: string }>('/collections/indexed/index?wait=true', { field_name, field_schema });
    expect((await index('group', 'keyword')).result.status).toBe('completed');
    expect((await index('n', { type: 'integer', lookup: true, range: true })).result.status).toBe(
      'completed',
    );
    const before = await http.get<Info>('/collections/indexed');
    expect(before.result.payload_schema).toMatchObject({
      group: { data_type: 'keyword', points: 20 },
      n: { data_type: 'integer', points: 20, params: { type: 'integer', lookup: true, range: true } },
    });
    expect((await http.delete('/collections/indexed/index/group?wait=true')).status).toBe(200);
    const after = await http.get<Info>('/collections/indexed');
    expect(Object.keys(after.result.payload_schema)).toEqual(['n']);
  });
});

/**
 * What all nodes know. Sources: the documentation's pages "Distributed Deployment" and "Resilience", the API's
 * description of `/cluster`, and the server's source at v1.18.3 where a test names it.
 */
import { Cluster, KEY, make, placement, testOwned, type ClusterInfo } from './cluster';
import { fill, points } from './data';
import { Server } from './server';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
}, 120_000);
afterAll(() => cluster.dispose());

describe('GET /cluster', () => {
  test('names both peers with their URIs, alike on both nodes', async () => {
    const [one, other] = await Promise.all(
      cluster.peers.map(async ({ http }) => (await http.get<ClusterInfo>('/cluster')).result),
    );
    expect(one?.status).toBe('enabled');
    expect(Object.keys(one?.peers ?? {}).sort()).toEqual(cluster.peers.map(({ id }) => id).sort());
    expect(other?.peers).toEqual(one?.peers);
    for (const { uri } of Object.values(one?.peers ?? {})) expect(uri).toMatch(/^https?:\/\/.+:\d+\/$/);
  });

  test('names one leader, a working consensus, and no failures while both are well', async () => {
    const infos = await Promise.all(
      cluster.peers.map(async ({ http }) => (await http.get<ClusterInfo>('/cluster')).result),
    );
    expect(new Set(infos.map(({ raft_info }) => raft_info.leader)).size).toBe(1);
    expect(infos.map(({ raft_info }) => raft_info.role).sort()).toEqual(['Follower', 'Leader']);
    for (const info of infos) {
      expect(info.raft_info.is_voter).toBe(true);
      expect(info.consensus_thread_status.consensus_thread_status).toBe('working');
      expect(info.message_send_failures).toEqual({});
    }
  });
});

test('telemetry and metrics tell of the cluster and of its replicas', async () => {
  await make(cluster.first.http, 'told');
  const { result } = await cluster.first.http.get<{ cluster: unknown }>('/telemetry?details_level=4');
  expect(result.cluster).toMatchObject({ enabled: true, status: { number_of_peers: 2, is_voter: true } });
  const { text } = await cluster.second.http.get('/metrics');
  expect(text).toMatch(/^cluster_enabled 1$/m);
  expect(text).toMatch(/^cluster_peers_total 2$/m);
  expect(text).toMatch(/^collection_dead_replicas 0$/m);
});

describe('a collection in a cluster', () => {
  test('is there on the other node as soon as its creation is answered', async () => {
    await make(cluster.first.http, 'agreed');
    expect((await cluster.second.http.get('/collections/agreed')).status).toBe(200);
  });

  test('gets a shard for each node where the request does not say how many', async () => {
    await make(cluster.first.http, 'unsaid', {});
    const seen = await placement(cluster.first.http, 'unsaid');
    expect([seen.shard_count, seen.local_shards.length, seen.remote_shards.length]).toEqual([2, 1, 1]);
  });

  test('has as many replicas of each shard as its replication factor, one a node', async () => {
    await make(cluster.first.http, 'replicated', { shard_number: 3, replication_factor: 2 });
    const seen = await placement(cluster.second.http, 'replicated');
    expect(seen.peer_id).toBe(Number(cluster.second.id));
    expect(seen.local_shards.map(({ shard_id }) => shard_id)).toEqual([0, 1, 2]);
    expect(seen.remote_shards.map(({ shard_id, peer_id }) => [shard_id, String(peer_id)])).toEqual(
      [0, 1, 2].map((shard) => [shard, cluster.first.id]),
    );
    expect(new Set([...seen.local_shards, ...seen.remote_shards].map(({ state }) => state))).toEqual(
      new Set(['Active']),
    );
  });

  test('never has more than one replica of a shard on a node, whatever the factor', async () => {
    await make(cluster.first.http, 'thrice', { shard_number: 1, replication_factor: 3 });
    const seen = await placement(cluster.first.http, 'thrice');
    expect([seen.local_shards.length, seen.remote_shards.length]).toEqual([1, 1]);
  });

  test('shows its replication factor and write consistency factor, and lets them be changed', async () => {
    await make(cluster.first.http, 'tuned', { replication_factor: 2, write_consistency_factor: 2 });
    const change = { params: { write_consistency_factor: 1 } };
    expect((await cluster.second.http.call('PATCH', '/collections/tuned', change)).status).toBe(200);
    const { result } = await cluster.second.http.get<{ config: unknown }>('/collections/tuned');
    expect(result.config).toMatchObject({
      params: { replication_factor: 2, write_consistency_factor: 1 },
    });
  });

  test('has its aliases and payload indexes on both nodes', async () => {
    const { first, second } = cluster;
    await make(first.http, 'indexed');
    await fill(second.http, 'indexed', 0, 20, 4);
    await second.http.put('/collections/indexed/index?wait=true', {
      field_name: 'group',
      field_schema: 'keyword',
    });
    await first.http.post('/collections/aliases', {
      actions: [{ create_alias: { collection_name: 'indexed', alias_name: 'indexed-alias' } }],
    });
    for (const { http } of cluster.peers) {
      const { result } = await http.get<{ payload_schema: unknown }>('/collections/indexed-alias');
      expect(result.payload_schema).toMatchObject({ group: { data_type: 'keyword', points: 20 } });
    }
  });

  test('is gone from both nodes once it is deleted', async () => {
    await make(cluster.first.http, 'gone');
    expect((await cluster.second.http.delete('/collections/gone')).result).toBe(true);
    expect((await cluster.second.http.get('/collections/gone')).status).toBe(404);
  });

  test('refuses a name that is taken, on either node', async () => {
    await make(cluster.first.http, 'taken');
    const again = { vectors: { size: 4, distance: 'Dot' } };
    for (const { http } of cluster.peers) {
      expect((await http.put('/collections/taken', again)).status).toBe(409);
    }
  });
});

test('either node answers for shards that only the other holds', async () => {
  const { first, second } = cluster;
  await make(first.http, 'spread', { shard_number: 2, replication_factor: 1 });
  await fill(first.http, 'spread', 0, 50, 4);
  for (const { http } of [first, second]) {
    const { result } = await http.post<{ points: unknown[] }>('/collections/spread/points/scroll', {
      limit: 100,
    });
    expect(result.points).toHaveLength(50);
    const answer = await http.post<{ points: { id: number }[] }>('/collections/spread/points/query', {
      query: points(7, 8, 4)[0]?.vector,
      limit: 50,
    });
    expect(answer.result.points).toHaveLength(50);
  }
});

describe('a peer', () => {
  test('is not removed while it has shards', async () => {
    await make(cluster.first.http, 'held');
    const answer = await cluster.first.http.delete(`/cluster/peer/${cluster.second.id}`);
    expect(answer).toMatchObject({
      status: 400,
      error: expect.stringContaining('as there are shards on it') as string,
    });
  });

  testOwned('needs the API key like a single node does', async () => {
    expect(KEY).toBeDefined();
    const response = await fetch(`${cluster.second.http.base}/cluster`);
    expect(response.status).toBe(401);
  });
});

testOwned('a single node says that it is in no cluster', async () => {
  const single = await Server.start();
  try {
    expect((await single.http.get('/cluster')).result).toEqual({ status: 'disabled' });
    expect((await single.http.delete('/cluster/peer/1')).status).toBe(400);
  } finally {
    await single.dispose();
  }
});

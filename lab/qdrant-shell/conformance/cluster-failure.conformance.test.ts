/**
 * One of two nodes down. Sources: the documentation's pages "Resilience" (Temporary Node Failure), "Consistency
 * Guarantees" (Write Consistency Factor) and "Node Failure Recovery"; where a test names it, the server's source at
 * v1.18.3, whose constants these are.
 */
import {
  Cluster,
  localCount,
  make,
  owned,
  placement,
  testOwned,
  type ClusterInfo,
  type Peer,
} from './cluster';
import { exactCount, fill, points, until } from './data';

/** `DEFAULT_SHARD_DEACTIVATION_TIMEOUT` in lib/collection/src/shards/replica_set/update.rs */
const DEACTIVATION_MS = 30_000;
let cluster: Cluster;
let first: Peer;
let second: Peer;

beforeAll(async () => {
  cluster = await Cluster.start();
  ({ first, second } = cluster);
}, 120_000);
afterAll(() => cluster.dispose());

const write = ({ http }: Peer, collection: string, id: number, query = 'wait=true') =>
  http.put(`/collections/${collection}/points?${query}`, { points: points(id, id + 1, 4) });

describe('a killed node', () => {
  beforeAll(async () => {
    if (first.server === undefined) return;
    for (const name of ['survives', 'unwaited', 'strict', 'late']) {
      await make(first.http, name, { shard_number: 1, replication_factor: 2 });
      await fill(first.http, name, 0, 100, 4);
    }
    await first.http.call('PATCH', '/collections/strict', { params: { write_consistency_factor: 2 } });
    await make(first.http, 'halved', { shard_number: 2, replication_factor: 1 });
    await fill(first.http, 'halved', 0, 100, 4);
    await owned(second).kill();
  });

  testOwned('does not keep reads of its shards from being answered by the live replica', async () => {
    expect(await exactCount(first.http, 'survives')).toBe(100);
    const found = await first.http.post<{ points: unknown[] }>('/collections/survives/points/query', {
      query: points(5, 6, 4)[0]?.vector,
      limit: 100,
    });
    expect(found.result.points).toHaveLength(100);
  });

  testOwned('fails what only it holds', async () => {
    const answer = await first.http.post('/collections/halved/points/count', { exact: true });
    expect(answer.status).toBe(500);
  });

  testOwned(
    'trap: of two, keeps the first write that waits for 30 s and then refused, while others go on',
    async () => {
      // update.rs: the replicas that failed must be deactivated by consensus first, which two nodes need both for
      const started = Date.now();
      const held = write(first, 'survives', 100);
      const passed = await until(
        () => Promise.race([write(first, 'survives', 101), impatience(1_000)]), // one may be held beside the first
        (answer) => answer?.status === 200,
      );
      expect(passed).toMatchObject({ result: { status: 'completed' } });
      expect(Date.now() - started).toBeLessThan(DEACTIVATION_MS / 2);
      const refused = await held;
      expect(refused.status).toBe(500);
      expect(refused.error).toContain('deactivation timed out after 30s');
      expect(Date.now() - started).toBeGreaterThanOrEqual(DEACTIVATION_MS - 1_000);
      expect(await exactCount(first.http, 'survives')).toBe(102); // refused, and written all the same
    },
    2 * DEACTIVATION_MS,
  );

  testOwned('does not hold a write that does not wait', async () => {
    const answer = await write(first, 'unwaited', 100, 'wait=false');
    expect(answer).toMatchObject({ status: 200, result: { status: 'acknowledged' } });
    expect((await write(first, 'unwaited', 101)).status).toBe(200);
  });

  testOwned('has writes refused where both replicas must take them', async () => {
    for (const id of [100, 101]) expect((await write(first, 'strict', id)).status).toBe(500);
  });

  testOwned('has strict reads refused, and others answered', async () => {
    const read = (consistency: string) =>
      first.http.post(`/collections/survives/points/scroll?consistency=${consistency}`, {});
    const refused = await read('all');
    expect(refused.status).toBe(500);
    expect(refused.error).toContain('does not have enough active replicas');
    expect((await read('1')).status).toBe(200);
  });

  testOwned('of two, keeps collections from being made, changed and deleted', async () => {
    const body = { vectors: { size: 4, distance: 'Dot' } };
    expect((await first.http.put('/collections/unmade?timeout=2', body)).status).toBe(500);
    expect((await first.http.delete('/collections/late?timeout=2')).status).toBe(500);
    expect((await first.http.get('/collections/late')).status).toBe(200);
  });

  testOwned('of two, leaves the cluster without a leader and a failure to show', async () => {
    const info = await until(
      async () => (await first.http.get<ClusterInfo>('/cluster')).result,
      ({ raft_info }) => !raft_info.leader,
    );
    const uri = info.peers[second.id]?.uri ?? '';
    expect(info.message_send_failures[uri]?.count).toBeGreaterThan(0);
  });

  testOwned('is dead by everybody’s word when it returns, and then mended by a transfer', async () => {
    await owned(second).launch();
    await cluster.settled();
    for (const [name, count] of [
      ['survives', 102],
      ['unwaited', 102],
    ] as const) {
      await until(
        () => localCount(second, name),
        (seen) => seen === count,
      );
      await cluster.healthy(name);
      expect(await exactCount(second.http, name)).toBe(count);
    }
  });

  testOwned('is written to again once it is back', async () => {
    expect((await write(second, 'strict', 200)).status).toBe(200);
    expect((await write(first, 'survives', 300)).status).toBe(200);
    expect(await localCount(second, 'survives')).toBe(103);
  });
});

describe('what was agreed', () => {
  testOwned('survives the restart of either node, and of both at once', async () => {
    await make(first.http, 'kept');
    await fill(first.http, 'kept', 0, 60, 4);
    const before = (await first.http.get<ClusterInfo>('/cluster')).result;
    const restarts = [[second], [first], [first, second]];
    for (const restarted of restarts) {
      await Promise.all(restarted.map((peer) => owned(peer).kill()));
      await Promise.all(restarted.map((peer) => owned(peer).launch()));
      await cluster.settled();
      for (const { http } of cluster.peers) {
        const info = (await http.get<ClusterInfo>('/cluster')).result;
        expect(info.peers).toEqual(before.peers);
        expect(info.raft_info.commit).toBeGreaterThanOrEqual(before.raft_info.commit);
      }
      await cluster.healthy('kept');
      for (const { http } of cluster.peers) expect(await exactCount(http, 'kept')).toBe(60);
    }
    expect(await placement(first.http, 'kept')).toMatchObject({ peer_id: Number(first.id) });
  });
});

describe('a node that hangs', () => {
  testOwned('holds a write until it is given up, and is mended once it goes on', async () => {
    await make(first.http, 'hung', { shard_number: 1, replication_factor: 2 });
    await fill(first.http, 'hung', 0, 20, 4);
    owned(second).signal('SIGSTOP');
    try {
      expect((await write(first, 'hung', 20, 'wait=false')).status).toBe(200);
      expect((await write(first, 'hung', 21)).status).toBe(200);
      expect(await exactCount(first.http, 'hung')).toBe(22);
    } finally {
      owned(second).signal('SIGCONT');
    }
    await until(
      () => localCount(second, 'hung'),
      (count) => count === 22,
    );
    await cluster.healthy('hung');
  });
});

async function impatience(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined;
}

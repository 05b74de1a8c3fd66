/**
 * Replicas of shards: how writes and reads reach them, and how they are made, moved and dropped. Sources: the
 * documentation's pages "Consistency Guarantees" and "Distributed Deployment" (Moving Shards, Creating New Shard
 * Replicas), the API's description of `POST /collections/{name}/cluster`, and the server's source at v1.18.3.
 */
import { Cluster, localCount, make, placement, type Peer } from './cluster';
import { exactCount, fill, points, until, upsert } from './data';

let cluster: Cluster;
let first: Peer;
let second: Peer;

beforeAll(async () => {
  cluster = await Cluster.start();
  ({ first, second } = cluster);
}, 120_000);
afterAll(() => cluster.dispose());

describe('a write that waits', () => {
  test('is on every replica once it is answered, whichever node took it', async () => {
    await make(first.http, 'written');
    await fill(first.http, 'written', 0, 30, 4);
    await fill(second.http, 'written', 30, 60, 4);
    expect(await Promise.all(cluster.peers.map((peer) => localCount(peer, 'written')))).toEqual([60, 60]);
  });

  test.each(['weak', 'medium', 'strong'])('takes the ordering %s on either node', async (ordering) => {
    await make(first.http, 'ordered');
    for (const { http, id } of cluster.peers) {
      const answer = await http.put(`/collections/ordered/points?wait=true&ordering=${ordering}`, {
        points: points(Number(id === first.id), Number(id === first.id) + 1, 4),
      });
      expect(answer).toMatchObject({ status: 200, result: { status: 'completed' } });
    }
    expect(await Promise.all(cluster.peers.map((peer) => localCount(peer, 'ordered')))).toEqual([2, 2]);
  });

  test('refuses an ordering that does not exist', async () => {
    await make(first.http, 'ordered');
    const answer = await first.http.put('/collections/ordered/points?wait=true&ordering=any', { points: [] });
    expect(answer.status).toBe(400);
  });

  test('that is wrong in itself is refused, and no replica is called dead for it', async () => {
    await make(first.http, 'wrong');
    const answer = await first.http.put('/collections/wrong/points?wait=true', {
      points: [{ id: 1, vector: [1, 2, 3], payload: {} }],
    });
    expect(answer.status).toBe(400);
    await cluster.healthy('wrong');
  });

  test('of one point from both nodes at once leaves the replicas alike with strong ordering', async () => {
    await make(first.http, 'raced', { shard_number: 1, replication_factor: 2 });
    const write = ({ http, id }: Peer, round: number) =>
      http.put('/collections/raced/points?wait=true&ordering=strong', {
        points: [{ id: 1, vector: [1, 2, 3, 4], payload: { by: id, round } }],
      });
    for (let round = 0; round < 20; round += 1) {
      const answers = await Promise.all(cluster.peers.map((peer) => write(peer, round)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      const seen = await first.http.post<unknown[]>('/collections/raced/points?consistency=all', {
        ids: [1],
      });
      expect(seen.result).toHaveLength(1); // a point that the replicas have differently is on neither's answer
    }
  });
});

describe('a read', () => {
  beforeAll(async () => {
    await make(first.http, 'read');
    await fill(first.http, 'read', 0, 40, 4);
  });

  test.each(['1', '2', '7', 'majority', 'quorum', 'all'])(
    'with consistency %s answers alike on both nodes',
    async (consistency) => {
      for (const { http } of cluster.peers) {
        const found = await http.post<{ points: unknown[] }>(
          `/collections/read/points/query?consistency=${consistency}`,
          { query: points(3, 4, 4)[0]?.vector, limit: 40 },
        );
        expect(found).toMatchObject({ status: 200 });
        expect(found.result.points).toHaveLength(40);
        const scrolled = await http.post<{ points: unknown[] }>(
          `/collections/read/points/scroll?consistency=${consistency}`,
          { limit: 100 },
        );
        expect(scrolled.result.points).toHaveLength(40);
      }
    },
  );

  test('refuses a consistency that does not exist', async () => {
    const answer = await first.http.post('/collections/read/points/scroll?consistency=some', {});
    expect(answer.status).toBe(400);
  });
});

describe('POST /collections/{name}/cluster', () => {
  const ids = (from: Peer, to: Peer) => ({
    shard_id: 0,
    from_peer_id: Number(from.id),
    to_peer_id: Number(to.id),
  });

  /** A collection of one shard with points, its only replica on one of the two: holder and the other. */
  async function single(name: string): Promise<[Peer, Peer]> {
    await make(first.http, name, { shard_number: 1, replication_factor: 1 });
    await fill(first.http, name, 0, 500, 4);
    const isFirst = (await placement(first.http, name)).local_shards.length === 1;
    return isFirst ? [first, second] : [second, first];
  }

  test.each(['stream_records', 'snapshot'])('replicates a shard by %s', async (method) => {
    const [holder, other] = await single('to-replicate');
    const answer = await holder.http.post('/collections/to-replicate/cluster', {
      replicate_shard: { ...ids(holder, other), method },
    });
    expect(answer).toMatchObject({ status: 200, result: true });
    await until(() => placement(first.http, 'to-replicate'), hasActive(2));
    await cluster.healthy('to-replicate');
    expect(await localCount(other, 'to-replicate')).toBe(500);
  });

  test('replicates while it is written to, and no write is lost', async () => {
    const [holder, other] = await single('busy');
    await holder.http.post('/collections/busy/cluster', { replicate_shard: ids(holder, other) });
    let written = 500;
    await until(async () => {
      for (const { http } of cluster.peers) {
        await upsert(http, 'busy', points(written, written + 1, 4));
        written += 1;
      }
      return placement(first.http, 'busy');
    }, hasActive(2));
    await cluster.healthy('busy');
    for (const peer of cluster.peers) expect(await localCount(peer, 'busy')).toBe(written);
  });

  test('moves a shard, and the old replica is gone', async () => {
    const [holder, other] = await single('to-move');
    await first.http.post('/collections/to-move/cluster', { move_shard: ids(holder, other) });
    await until(
      () => placement(other.http, 'to-move'),
      (seen) => seen.local_shards[0]?.state === 'Active' && seen.remote_shards.length === 0,
    );
    expect(await exactCount(holder.http, 'to-move')).toBe(500);
    expect(await localCount(other, 'to-move')).toBe(500);
  });

  test('drops a replica, but never the last active one', async () => {
    await make(first.http, 'to-drop', { shard_number: 1, replication_factor: 2 });
    const drop = ({ id }: Peer) =>
      first.http.post('/collections/to-drop/cluster', { drop_replica: { shard_id: 0, peer_id: Number(id) } });
    expect(await drop(second)).toMatchObject({ status: 200, result: true });
    expect((await placement(first.http, 'to-drop')).remote_shards).toEqual([]);
    const last = await drop(first);
    expect(last.status).toBe(400);
    expect(last.error).toContain('must have at least one active replica');
  });

  test.each([
    ['a shard that does not exist', { shard_id: 9 }],
    ['a peer that does not exist', { to_peer_id: 12345 }],
  ])('refuses %s with 400', async (_what, wrong) => {
    const [holder, other] = await single('refusing');
    const answer = await first.http.post('/collections/refusing/cluster', {
      replicate_shard: { ...ids(holder, other), ...wrong },
    });
    expect(answer.status).toBe(400);
  });

  test('refuses a source that has no active replica', async () => {
    const [holder, other] = await single('sourceless');
    const answer = await first.http.post('/collections/sourceless/cluster', {
      replicate_shard: ids(other, holder),
    });
    expect(answer.status).toBe(400);
    expect(answer.error).toContain('is not active on peer');
  });

  test('answers 404 for aborting a transfer that does not exist', async () => {
    const [holder, other] = await single('calm');
    const answer = await first.http.post('/collections/calm/cluster', { abort_transfer: ids(holder, other) });
    expect(answer.status).toBe(404);
  });

  function hasActive(count: number) {
    return ({ local_shards, remote_shards }: Awaited<ReturnType<typeof placement>>): boolean =>
      [...local_shards, ...remote_shards].filter(({ state }) => state === 'Active').length === count;
  }
});

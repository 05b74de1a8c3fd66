/**
 * Snapshots in a cluster are each node's own. Sources: the documentation's page "Snapshots" (Create snapshot, Restore
 * snapshot, Snapshot priority), measurements of a real 1.18.3 with two nodes, and the server's source at v1.18.3
 * (lib/storage/src/content_manager/snapshots/recover.rs, src/common/snapshots.rs).
 */
import { Cluster, localCount, make, owned, placement, testOwned, type Peer } from './cluster';
import { create, exactCount, fill, until, type Snapshot } from './data';
import { Server } from './server';

const POINTS = 200;
let cluster: Cluster;
let first: Peer;
let second: Peer;

beforeAll(async () => {
  cluster = await Cluster.start();
  ({ first, second } = cluster);
}, 120_000);
afterAll(() => cluster.dispose());

async function snapshot({ http }: Peer, collection: string): Promise<[Snapshot, Buffer<ArrayBuffer>]> {
  const made = await http.post<Snapshot>(`/collections/${collection}/snapshots?wait=true`);
  expect(made.status).toBe(200);
  return [made.result, await http.download(`/collections/${collection}/snapshots/${made.result.name}`)];
}

async function filled(name: string, replicas: number, shards = 2): Promise<void> {
  await make(first.http, name, { shard_number: shards, replication_factor: replicas });
  await fill(first.http, name, 0, POINTS, 4);
}

const upload = ({ http }: Peer, collection: string, content: Buffer<ArrayBuffer>, priority: string) =>
  http.upload(`/collections/${collection}/snapshots/upload?wait=true&priority=${priority}`, content);

describe('a collection’s snapshot', () => {
  test('is listed only on the node that made it, and named after it', async () => {
    await filled('listed', 2);
    const [{ name }] = await snapshot(first, 'listed');
    expect(name).toMatch(new RegExp(`^listed-${first.id}-\\d{4}(-\\d{2}){5}\\.snapshot$`));
    const listing = async ({ http }: Peer): Promise<string[]> =>
      (await http.get<Snapshot[]>('/collections/listed/snapshots')).result.map((known) => known.name);
    expect(await listing(first)).toContain(name);
    expect(await listing(second)).not.toContain(name);
  });

  testOwned('of one node can’t be restored on a single node where it lacks shards', async () => {
    await filled('halves', 1);
    const [, content] = await snapshot(first, 'halves');
    const single = await Server.start();
    try {
      await create(single.http, 'halves', 4, { shards: 2 });
      const answer = await single.http.upload(
        '/collections/halves/snapshots/upload?wait=true&priority=snapshot',
        content,
      );
      expect(answer.status).toBe(500);
    } finally {
      await single.dispose();
    }
  });

  test('trap: restored, brings its own shards only, and is answered with 200', async () => {
    await filled('partly', 1);
    const held = await localCount(first, 'partly');
    const [, content] = await snapshot(first, 'partly');
    await make(first.http, 'partly', { shard_number: 2, replication_factor: 1 });
    expect(await upload(first, 'partly', content, 'snapshot')).toMatchObject({ status: 200, result: true });
    await cluster.healthy('partly');
    expect(await exactCount(second.http, 'partly')).toBe(held);
  });

  test('of every node, each restored where it was made, brings everything back', async () => {
    await filled('whole', 1);
    const [[, ofFirst], [, ofSecond]] = [await snapshot(first, 'whole'), await snapshot(second, 'whole')];
    const before = (await placement(first.http, 'whole')).local_shards.map(({ shard_id }) => shard_id);
    await first.http.post('/collections/whole/points/delete?wait=true', { filter: {} });
    expect(await exactCount(first.http, 'whole')).toBe(0);
    expect((await upload(first, 'whole', ofFirst, 'snapshot')).status).toBe(200);
    expect((await upload(second, 'whole', ofSecond, 'snapshot')).status).toBe(200);
    await cluster.healthy('whole');
    expect(await exactCount(second.http, 'whole')).toBe(POINTS);
    const after = (await placement(first.http, 'whole')).local_shards.map(({ shard_id }) => shard_id);
    expect(after).toEqual(before);
  });

  test('trap: restored on the other node with priority snapshot, moves the shard there', async () => {
    await filled('moving', 1, 1);
    const onFirst = (await placement(first.http, 'moving')).local_shards.length === 1;
    const [holder, other] = onFirst ? [first, second] : [second, first];
    const [, content] = await snapshot(holder, 'moving');
    expect((await upload(other, 'moving', content, 'snapshot')).status).toBe(200);
    await until(
      () => placement(other.http, 'moving'),
      (seen) => seen.local_shards[0]?.state === 'Active' && seen.remote_shards.length === 0,
    );
    expect(await exactCount(holder.http, 'moving')).toBe(POINTS);
  });
});

describe('restored where there are other replicas', () => {
  async function changedSince(name: string): Promise<Buffer<ArrayBuffer>> {
    await filled(name, 2);
    const [, content] = await snapshot(first, name);
    await fill(first.http, name, POINTS, POINTS + 50, 4);
    return content;
  }

  const counts = (name: string) => async () =>
    Promise.all(cluster.peers.map((peer) => localCount(peer, name)));

  test('with priority snapshot, is what all replicas have afterwards', async () => {
    const content = await changedSince('older');
    expect((await upload(first, 'older', content, 'snapshot')).status).toBe(200);
    await until(counts('older'), (seen) => seen.every((count) => count === POINTS));
    await cluster.healthy('older');
    for (const { http } of cluster.peers) expect(await exactCount(http, 'older')).toBe(POINTS);
  });

  test('with priority replica, is overwritten by the other replicas', async () => {
    const content = await changedSince('newer');
    expect((await upload(first, 'newer', content, 'replica')).status).toBe(200);
    await until(counts('newer'), (seen) => seen.every((count) => count === POINTS + 50));
    await cluster.healthy('newer');
    expect(await exactCount(first.http, 'newer')).toBe(POINTS + 50);
  });

  test('trap: with no_sync, leaves the replicas different, and all called active', async () => {
    const content = await changedSince('unlike');
    expect((await upload(first, 'unlike', content, 'no_sync')).status).toBe(200);
    await cluster.healthy('unlike');
    expect(await counts('unlike')()).toEqual([POINTS, POINTS + 50]);
  });
});

describe('a shard’s snapshot', () => {
  test('is made only where the shard is', async () => {
    await filled('apart', 1);
    const { remote_shards } = await placement(first.http, 'apart');
    const answer = await first.http.post(
      `/collections/apart/shards/${remote_shards[0]?.shard_id}/snapshots?wait=true`,
    );
    expect(answer.status).toBe(400);
  });

  test('restored on one holder with priority snapshot, is copied to the others', async () => {
    await filled('shardwise', 2, 1);
    const { http } = first;
    const content = await http.download('/collections/shardwise/shards/0/snapshot');
    await fill(http, 'shardwise', POINTS, POINTS + 50, 4);
    const answer = await http.upload(
      '/collections/shardwise/shards/0/snapshots/upload?wait=true&priority=snapshot',
      content,
    );
    expect(answer).toMatchObject({ status: 200, result: true });
    await until(
      () => localCount(second, 'shardwise'),
      (count) => count === POINTS,
    );
    await cluster.healthy('shardwise');
    expect(await exactCount(second.http, 'shardwise')).toBe(POINTS);
  });
});

testOwned('snapshots are still made while the other node is down', async () => {
  await filled('lonely', 2);
  await owned(second).kill();
  try {
    const [made] = await snapshot(first, 'lonely');
    expect(made.size).toBeGreaterThan(0);
  } finally {
    await owned(second).launch();
    await cluster.settled();
  }
});

/**
 * Joining, leaving, and who may talk to the port between nodes. Sources: the documentation's pages "Distributed
 * Deployment", "Node Failure Recovery" (Recreate a Node), "Security" (TLS), and the comments of the server's own
 * configuration file at v1.18.3 on `service.enforce_internal_auth`, `cluster.p2p.enable_tls` and `tls`.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { make, placement, startNode, testOwned, type ClusterInfo, type NodeOptions } from './cluster';
import { exactCount, fill, until } from './data';
import { Server } from './server';

const run = promisify(execFile);
const started: Server[] = [];

async function start(bootstrap?: string, options?: NodeOptions): Promise<[Server, string]> {
  const node = await startNode(bootstrap, options);
  started.push(node[0]);
  return node;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.dispose()));
});

const info = async ({ http }: Server): Promise<ClusterInfo> =>
  (await http.get<ClusterInfo>('/cluster')).result;

async function pair(options?: NodeOptions): Promise<[Server, Server, string]> {
  const [first, uri] = await start(undefined, options);
  const [second] = await start(uri, options);
  await until(
    () => info(second),
    ({ peers, raft_info }) => Object.keys(peers).length === 2 && Boolean(raft_info.leader),
  );
  return [first, second, uri];
}

describe('joining', () => {
  testOwned('needs no --uri: the peer is known by the address that it came from', async () => {
    const [first] = await pair();
    const uris = Object.values((await info(first)).peers).map(({ uri }) => new URL(uri).hostname);
    expect(uris).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  testOwned('brings what the cluster agreed on before, without moving any shard', async () => {
    const [first, uri] = await start();
    await make(first.http, 'before', { shard_number: 2, replication_factor: 2 });
    await fill(first.http, 'before', 0, 50, 4);
    const [second] = await start(uri);
    expect(await exactCount(second.http, 'before')).toBe(50);
    expect((await placement(second.http, 'before')).local_shards).toEqual([]);
  });

  testOwned('is done once: a restart ignores --bootstrap and --uri', async () => {
    const [, second] = await pair();
    const before = await info(second);
    await second.kill();
    await second.launch(); // with the same arguments
    expect((await info(second)).peer_id).toBe(before.peer_id);
  });

  testOwned('the first peer needs its own URI', async () => {
    await expect(
      Server.start({ configuration: ['cluster:', '  enabled: true'], arguments: [] }),
    ).rejects.toThrow('First peer should specify its uri');
  });

  testOwned('three nodes go on agreeing with one of them gone', async () => {
    const [first, second, uri] = await pair();
    const [third] = await start(uri);
    await make(first.http, 'of-three', { shard_number: 1, replication_factor: 3 });
    await third.kill();
    const answer = await first.http.put('/collections/of-three/points?wait=true', {
      points: [{ id: 1, vector: [1, 2, 3, 4], payload: {} }],
    });
    expect(answer.status).toBe(200); // a majority knows at once that the third is dead
    const states = (await placement(first.http, 'of-three')).remote_shards.map(({ state }) => state);
    expect(states.sort()).toEqual(['Active', 'Dead']);
    await make(second.http, 'made-by-two', { shard_number: 1 });
    await third.launch();
    await until(
      () => placement(third.http, 'of-three'),
      ({ local_shards }) => local_shards[0]?.state === 'Active' && local_shards[0].points_count === 1,
    );
    expect((await third.http.get('/collections/made-by-two')).status).toBe(200);
  });
});

describe('leaving', () => {
  testOwned('a peer whose shards were moved away is removed, and the other goes on alone', async () => {
    const [first, second] = await pair();
    await make(first.http, 'moved', { shard_number: 2, replication_factor: 1 });
    await fill(first.http, 'moved', 0, 50, 4);
    const { peer_id: from } = await info(second);
    const { peer_id: to } = await info(first);
    const { local_shards } = await placement(second.http, 'moved');
    for (const { shard_id } of local_shards) {
      await first.http.post('/collections/moved/cluster', {
        move_shard: { shard_id, from_peer_id: from, to_peer_id: to },
      });
    }
    await until(
      () => placement(first.http, 'moved'),
      (seen) => seen.remote_shards.length === 0,
    );
    expect(await first.http.delete(`/cluster/peer/${from}`)).toMatchObject({ status: 200, result: true });
    await second.kill();
    expect(Object.keys((await info(first)).peers)).toEqual([String(to)]);
    expect(await exactCount(first.http, 'moved')).toBe(50);
    await make(first.http, 'alone', { shard_number: 1 });
  });

  testOwned('force removes a peer with its replicas', async () => {
    const [first, second] = await pair();
    await make(first.http, 'forced', { shard_number: 1, replication_factor: 2 });
    const { peer_id } = await info(second);
    expect((await first.http.delete(`/cluster/peer/${peer_id}`)).status).toBe(400);
    expect((await first.http.delete(`/cluster/peer/${peer_id}?force=true`)).status).toBe(200);
    expect((await placement(first.http, 'forced')).remote_shards).toEqual([]);
  });

  testOwned('of two, a dead peer can’t be removed even by force: that needs a majority', async () => {
    const [first, second] = await pair();
    const { peer_id } = await info(second);
    await second.kill();
    const answer = await first.http.delete(`/cluster/peer/${peer_id}?force=true&timeout=2`);
    expect(answer.status).toBe(500);
    expect(Object.keys((await info(first)).peers)).toHaveLength(2);
  });
});

describe('the port between nodes', () => {
  testOwned('asks for no key unless told to', async () => {
    const [, uri] = await start(undefined, { apiKey: 'one' });
    await start(uri, { apiKey: 'another' });
  });

  testOwned('with enforce_internal_auth refuses a node that has another key', async () => {
    const service = ['enforce_internal_auth: true'];
    const [first, uri] = await start(undefined, { apiKey: 'one', service });
    await expect(start(uri, { apiKey: 'another', service })).rejects.toThrow();
    const [second] = await start(uri, { apiKey: 'one', service });
    expect(Object.keys((await info(second)).peers)).toHaveLength(2);
    expect(Object.keys((await info(first)).peers)).toHaveLength(2);
  });

  testOwned('speaks TLS, and refuses a node whose certificate is of another authority', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'qdrant-p2p-'));
    try {
      const [ours, theirs] = [await certificates(folder, 'ours'), await certificates(folder, 'theirs')];
      const [first, second, uri] = await pair({ scheme: 'https', configuration: ours });
      await make(first.http, 'private', { shard_number: 1, replication_factor: 2 });
      await fill(second.http, 'private', 0, 10, 4);
      expect((await placement(first.http, 'private')).local_shards[0]?.points_count).toBe(10);
      const quick = ['  consensus: { bootstrap_timeout_sec: 2 }', ...theirs];
      await expect(start(uri, { scheme: 'https', configuration: quick })).rejects.toThrow();
      expect(Object.keys((await info(first)).peers)).toHaveLength(2);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** An authority and a node's certificate of it; answers the section `tls` that names them. */
async function certificates(folder: string, name: string): Promise<string[]> {
  const file = (what: string): string => path.join(folder, `${name}-${what}.pem`);
  const openssl = (...args: string[]) => run('openssl', args);
  await openssl(
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
    ...['-keyout', file('ca-key'), '-out', file('ca')],
  );
  await openssl(
    ...['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1'],
    ...['-keyout', file('key'), '-out', file('request')],
  );
  await writeFile(file('extensions'), 'subjectAltName=IP:127.0.0.1\n');
  await openssl(
    ...['x509', '-req', '-days', '2', '-in', file('request'), '-CA', file('ca'), '-CAkey', file('ca-key')],
    ...['-CAcreateserial', '-extfile', file('extensions'), '-out', file('cert')],
  );
  return ['tls:', `  cert: ${file('cert')}`, `  key: ${file('key')}`, `  ca_cert: ${file('ca')}`];
}

/**
 * Two nodes of one cluster. They are started here, from `QDRANT_BIN` or the lab's stand-in, unless
 * `QDRANT_CLUSTER_URLS` names two that run somewhere (`http://a:6333,http://b:6333`, with `QDRANT_CLUSTER_API_KEY`
 * where they want one). Those can't be stopped from here: the tests that do are skipped then, and say so.
 */
import { until } from './data';
import { Http } from './http';
import { freePort, Server } from './server';

const URLS = process.env['QDRANT_CLUSTER_URLS']?.split(',').map((url) => url.trim().replace(/\/$/, ''));
export const KEY =
  process.env['QDRANT_CLUSTER_API_KEY'] ?? (URLS === undefined ? 'a-key-for-peers' : undefined);

/** For tests that stop a node, or look at its files. */
export const testOwned = URLS === undefined ? test : test.skip;

export interface Peer {
  readonly id: string;
  readonly http: Http;
  readonly server: Server | undefined;
}

export interface ClusterInfo {
  readonly status: string;
  readonly peer_id: number;
  readonly peers: Readonly<Record<string, { readonly uri: string }>>;
  readonly raft_info: {
    readonly term: number;
    readonly commit: number;
    readonly pending_operations: number;
    readonly leader: number | null;
    readonly role: string;
    readonly is_voter: boolean;
  };
  readonly consensus_thread_status: { readonly consensus_thread_status: string };
  readonly message_send_failures: Readonly<Record<string, { readonly count: number }>>;
}

export interface CollectionCluster {
  readonly peer_id: number;
  readonly shard_count: number;
  readonly local_shards: readonly {
    readonly shard_id: number;
    readonly points_count: number;
    readonly state: string;
  }[];
  readonly remote_shards: readonly {
    readonly shard_id: number;
    readonly peer_id: number;
    readonly state: string;
  }[];
  readonly shard_transfers: readonly {
    readonly shard_id: number;
    readonly from: number;
    readonly to: number;
  }[];
}

export interface NodeOptions {
  readonly apiKey?: string;
  readonly configuration?: readonly string[];
  readonly service?: readonly string[];
  readonly scheme?: 'http' | 'https';
}

/** Starts a node: the first of a new cluster, or one that joins the node whose URI is given. */
export async function startNode(bootstrap?: string, options: NodeOptions = {}): Promise<[Server, string]> {
  const port = await freePort();
  const uri = `${options.scheme ?? 'http'}://127.0.0.1:${port}`;
  const tls = options.scheme === 'https' ? ', enable_tls: true' : '';
  const server = await Server.start({
    ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
    service: options.service ?? [],
    configuration: [
      'cluster:',
      '  enabled: true',
      `  p2p: { port: ${port}${tls} }`,
      ...(options.configuration ?? []),
    ],
    arguments: bootstrap === undefined ? ['--uri', uri] : ['--bootstrap', bootstrap],
  });
  return [server, uri];
}

export class Cluster {
  private constructor(
    readonly first: Peer,
    readonly second: Peer,
  ) {}

  static async start(): Promise<Cluster> {
    const peers = URLS === undefined ? await Cluster.own() : await Cluster.elsewhere(URLS);
    const [first, second] = await Promise.all(peers.map(([http, server]) => described(http, server)));
    if (first === undefined || second === undefined) throw new Error('a cluster here has two nodes');
    const cluster = new Cluster(first, second);
    await cluster.settled();
    return cluster;
  }

  private static async own(): Promise<[Http, Server][]> {
    const options = KEY === undefined ? {} : { apiKey: KEY };
    const [first, uri] = await startNode(undefined, options);
    const [second] = await startNode(uri, options);
    return [first, second].map((server) => [server.http, server]);
  }

  private static async elsewhere(urls: readonly string[]): Promise<[Http, undefined][]> {
    return Promise.resolve(urls.map((url) => [new Http(url, KEY), undefined]));
  }

  get peers(): readonly [Peer, Peer] {
    return [this.first, this.second];
  }

  /** Both know both, and who leads. */
  async settled(): Promise<void> {
    for (const { http } of this.peers) {
      await until(
        async () => (await http.get<ClusterInfo>('/cluster')).result,
        (info) => Object.keys(info.peers).length === 2 && Boolean(info.raft_info.leader),
      );
    }
  }

  /** Every replica of the collection is active, on both nodes' word. */
  async healthy(collection: string): Promise<void> {
    for (const { http } of this.peers) {
      await until(
        () => placement(http, collection),
        (seen) =>
          seen.shard_transfers.length === 0 &&
          [...seen.local_shards, ...seen.remote_shards].every(({ state }) => state === 'Active'),
      );
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.peers.map(({ server }) => server?.dispose()));
  }
}

async function described(http: Http, server: Server | undefined): Promise<Peer> {
  const { result } = await http.get<ClusterInfo>('/cluster');
  return { id: String(result.peer_id), http, server };
}

export function owned(peer: Peer): Server {
  if (peer.server === undefined) throw new Error('only nodes that were started here can be stopped');
  return peer.server;
}

export async function placement(http: Http, collection: string): Promise<CollectionCluster> {
  const { status, result, text } = await http.get<CollectionCluster>(`/collections/${collection}/cluster`);
  if (status !== 200) throw new Error(`placement of ${collection} answered ${status}: ${text}`);
  return result;
}

/** Points on this node itself. */
export async function localCount({ http }: Peer, collection: string): Promise<number> {
  const { local_shards } = await placement(http, collection);
  return local_shards.reduce((sum, { points_count }) => sum + points_count, 0);
}

export async function make(
  http: Http,
  name: string,
  parameters: Readonly<Record<string, number>> = { shard_number: 2, replication_factor: 2 },
): Promise<void> {
  await http.delete(`/collections/${name}`); // of an earlier run against the same servers
  const vectors = { size: 4, distance: 'Dot' };
  const { status, text } = await http.put(`/collections/${name}`, { vectors, ...parameters });
  if (status !== 200) throw new Error(`creating ${name} answered ${status}: ${text}`);
}

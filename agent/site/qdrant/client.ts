/** The few Qdrant calls that canary, publish and apply need, on one keep-alive pool. */
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import { SCRATCH_COLLECTION } from '../../../infra/contract/agent-api';
import { AgentError } from '../../shared/errors';
import { codeOf, messageOf } from '../errors';
import type {
  AliasDescription,
  CollectionInfo,
  LocalShard,
  PointId,
  QdrantPoint,
  RemoteShard,
  SnapshotDescription,
} from './types';

export class QdrantUnreachableError extends AgentError {
  readonly code = 'QDRANT_UNREACHABLE';
}

export class QdrantRequestError extends AgentError {
  readonly code = 'QDRANT_REQUEST_FAILED';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** No point has this id. */
const NO_POINT = '00000000-0000-0000-0000-000000000000';

/** Snapshots and recoveries of big shards take minutes. */
const LONG_TIMEOUT_MS = 3_600_000;

export class QdrantClient {
  private readonly pool: Pool;

  constructor(
    private readonly options: {
      readonly port: number;
      readonly apiKey: string;
      readonly timeoutMs?: number;
      readonly host?: string;
    },
  ) {
    this.pool = new Pool(`http://${options.host ?? '127.0.0.1'}:${options.port}`, {
      connections: 8,
      connect: { timeout: 2_000 },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }

  async version(): Promise<string> {
    const root = await this.raw<{ version: string }>('GET', '/', undefined, this.shortMs);
    return root.version;
  }

  /** Without the one that restores are tested in, which is no part of the data. */
  async collectionNames(timeoutMs = this.shortMs): Promise<string[]> {
    const result = await this.call<{ collections: { name: string }[] }>(
      'GET',
      '/collections',
      undefined,
      timeoutMs,
    );
    return result.collections
      .map((collection) => collection.name)
      .filter((name) => name !== SCRATCH_COLLECTION)
      .sort();
  }

  collection(name: string): Promise<CollectionInfo> {
    return this.call('GET', `/collections/${encodeURIComponent(name)}`);
  }

  async createCollection(name: string, body: unknown): Promise<void> {
    await this.call('PUT', `/collections/${encodeURIComponent(name)}`, body, LONG_TIMEOUT_MS);
  }

  async updateCollection(name: string, body: unknown): Promise<void> {
    await this.call('PATCH', `/collections/${encodeURIComponent(name)}`, body, LONG_TIMEOUT_MS);
  }

  async deleteCollection(name: string): Promise<void> {
    await this.call('DELETE', `/collections/${encodeURIComponent(name)}`, undefined, LONG_TIMEOUT_MS);
  }

  async createShardKey(name: string, shardKey: string | number): Promise<void> {
    await this.call(
      'PUT',
      `/collections/${encodeURIComponent(name)}/shards`,
      { shard_key: shardKey },
      LONG_TIMEOUT_MS,
    );
  }

  /** Replicas on this node, and those that this node knows of on others. */
  async shards(name: string): Promise<{ peer: number; local: LocalShard[]; remote: RemoteShard[] }> {
    const result = await this.call<{
      peer_id: number;
      local_shards: LocalShard[];
      remote_shards: RemoteShard[];
    }>('GET', `/collections/${encodeURIComponent(name)}/cluster`);
    return { peer: result.peer_id, local: result.local_shards, remote: result.remote_shards };
  }

  /** Ids of all nodes of the cluster. */
  async peers(): Promise<number[]> {
    const result = await this.call<{ peers?: Record<string, unknown> }>('GET', '/cluster');
    // Ids are of 64 bits in the protocol, and Qdrant keeps them to what a JSON number holds.
    return Object.keys(result.peers ?? {}).map(Number);
  }

  /** Begins to copy a shard's replica to a node that has none; the nodes do the rest. */
  async replicateShard(name: string, shard: number, from: number, to: number): Promise<void> {
    const wanted = { shard_id: shard, from_peer_id: from, to_peer_id: to, method: 'snapshot' };
    await this.call('POST', `/collections/${encodeURIComponent(name)}/cluster`, { replicate_shard: wanted });
  }

  async aliases(): Promise<AliasDescription[]> {
    const result = await this.call<{ aliases: AliasDescription[] }>('GET', '/aliases');
    return result.aliases;
  }

  async updateAliases(actions: readonly unknown[]): Promise<void> {
    if (actions.length > 0) await this.call('POST', '/collections/aliases', { actions });
  }

  async createIndex(name: string, field: string, schema: unknown): Promise<void> {
    const path = `/collections/${encodeURIComponent(name)}/index?wait=true`;
    await this.call('PUT', path, { field_name: field, field_schema: schema }, LONG_TIMEOUT_MS);
  }

  async deleteIndex(name: string, field: string): Promise<void> {
    const path = `/collections/${encodeURIComponent(name)}/index/${encodeURIComponent(field)}?wait=true`;
    await this.call('DELETE', path, undefined, LONG_TIMEOUT_MS);
  }

  /** Exact: `points_count` of the collection is approximate. */
  async count(name: string): Promise<number> {
    const path = `/collections/${encodeURIComponent(name)}/points/count`;
    const result = await this.call<{ count: number }>('POST', path, { exact: true }, LONG_TIMEOUT_MS);
    return result.count;
  }

  async scroll(name: string, body: unknown, timeoutMs = this.shortMs): Promise<QdrantPoint[]> {
    const path = `/collections/${encodeURIComponent(name)}/points/scroll`;
    const result = await this.call<{ points: QdrantPoint[] }>('POST', path, body, timeoutMs);
    return result.points;
  }

  retrieve(name: string, ids: readonly PointId[]): Promise<QdrantPoint[]> {
    const path = `/collections/${encodeURIComponent(name)}/points`;
    return this.call('POST', path, { ids, with_payload: true, with_vector: true });
  }

  /** `points/scroll` or, with an empty action, points by id; both as text, since numbers of 64 bits do not survive parsing. */
  async pointsText(name: string, action: 'scroll' | '', body: string): Promise<string> {
    const path = `/collections/${encodeURIComponent(name)}/points${action === '' ? '' : `/${action}`}`;
    const response = await this.send('POST', path, body, 60_000);
    if (response.statusCode !== 200)
      throw await requestError('POST', path, response.statusCode, response.body);
    return response.body.text();
  }

  /**
   * Resolves when every shard has applied what it had acknowledged before, writes with `wait=false` among it: a write that
   * changes nothing goes through the same queue.
   */
  async settle(name: string): Promise<void> {
    const path = `/collections/${encodeURIComponent(name)}/points/delete?wait=true`;
    const nobody = { filter: { must: [{ has_id: [NO_POINT] }] } };
    await this.call('POST', path, nobody, 60_000);
  }

  async query(name: string, body: unknown): Promise<PointId[]> {
    const path = `/collections/${encodeURIComponent(name)}/points/query`;
    const result = await this.call<{ points: { id: PointId }[] }>('POST', path, body, 60_000);
    return result.points.map((point) => point.id);
  }

  listShardSnapshots(name: string, shard: number): Promise<SnapshotDescription[]> {
    return this.call('GET', shardSnapshots(name, shard));
  }

  createShardSnapshot(name: string, shard: number): Promise<SnapshotDescription> {
    return this.call('POST', `${shardSnapshots(name, shard)}?wait=true`, undefined, LONG_TIMEOUT_MS);
  }

  async deleteShardSnapshot(name: string, shard: number, snapshot: string): Promise<void> {
    await this.call('DELETE', `${shardSnapshots(name, shard)}/${encodeURIComponent(snapshot)}?wait=true`);
  }

  async downloadShardSnapshot(name: string, shard: number, snapshot: string): Promise<Readable> {
    const path = `${shardSnapshots(name, shard)}/${encodeURIComponent(snapshot)}`;
    const response = await this.send('GET', path, undefined, LONG_TIMEOUT_MS);
    if (response.statusCode !== 200) {
      throw await requestError('GET', path, response.statusCode, response.body);
    }
    return response.body;
  }

  /** `priority` is always said: with the other value the result is an empty collection. */
  async recoverShard(name: string, shard: number, location: string, checksum: string): Promise<void> {
    const path = `${shardSnapshots(name, shard)}/recover?wait=true`;
    await this.call('PUT', path, { location, priority: 'snapshot', checksum }, LONG_TIMEOUT_MS);
  }

  private get shortMs(): number {
    return this.options.timeoutMs ?? 30_000;
  }

  private async call<T>(method: Method, path: string, body?: unknown, timeoutMs?: number): Promise<T> {
    const answer = await this.raw<{ result?: T }>(method, path, body, timeoutMs ?? this.shortMs);
    if (answer.result === undefined) {
      throw new QdrantRequestError(
        200,
        `Qdrant answered ${method} ${path} without a result. Check its version.`,
      );
    }
    return answer.result;
  }

  private async raw<T>(method: Method, path: string, body: unknown, timeoutMs: number): Promise<T> {
    const response = await this.send(method, path, body, timeoutMs);
    if (response.statusCode < 200 || response.statusCode > 299) {
      throw await requestError(method, path, response.statusCode, response.body);
    }
    try {
      return (await response.body.json()) as T;
    } catch (cause) {
      throw new QdrantUnreachableError(
        `Qdrant's answer to ${method} ${path} broke off: ${messageOf(cause)}`,
        {
          cause,
        },
      );
    }
  }

  private async send(method: Method, path: string, body: unknown, timeoutMs: number) {
    try {
      return await this.pool.request({
        method,
        path,
        headers: {
          'api-key': this.options.apiKey,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (cause) {
      throw new QdrantUnreachableError(
        `Qdrant on port ${this.options.port} did not answer ${method} ${path} (${codeOf(cause)}: ${messageOf(cause)}). ` +
          'Look at the unit failover-qdrant.',
        { cause },
      );
    }
  }
}

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

function shardSnapshots(name: string, shard: number): string {
  return `/collections/${encodeURIComponent(name)}/shards/${shard}/snapshots`;
}

async function requestError(
  method: Method,
  path: string,
  status: number,
  body: { text(): Promise<string> },
): Promise<QdrantRequestError> {
  const text = (await body.text()).slice(0, 500);
  return new QdrantRequestError(status, `Qdrant answered ${status} to ${method} ${path}: ${text}`);
}

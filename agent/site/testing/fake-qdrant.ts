/** Enough of Qdrant in memory to publish from and apply to, with the behaviours of the real one that bite. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { basename, join } from 'node:path';

interface Point {
  id: string | number;
  vector: number[];
  payload: Record<string, unknown>;
}
interface Shard {
  points: Map<string, Point>;
  snapshots: Map<string, Buffer>;
  dirty: boolean;
}
interface Collection {
  config: { params: Record<string, unknown>; [section: string]: unknown };
  schema: Record<string, { data_type: string; points: number }>;
  shards: Shard[];
}

export class FakeQdrant {
  readonly collections = new Map<string, Collection>();
  readonly aliases = new Map<string, string>();
  readonly requests: string[] = [];
  version = '1.18.3';
  /** Files for recovery lie under it as `<collection>/shards/<shard>/<name>`. */
  snapshotsPath = '';
  /** Answers instead of the usual ones, for example to hang or to fail. */
  intercept: ((request: IncomingMessage, response: ServerResponse, path: string) => boolean) | null = null;
  onRequest: ((method: string, path: string) => Promise<void> | void) | null = null;
  private server: Server | null = null;

  constructor(readonly apiKey = 'qdrant-key') {}

  async listen(): Promise<number> {
    const server = createServer((request, response) => void this.handle(request, response));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  create(name: string, shards = 1, size = 4): void {
    this.createFrom(name, { vectors: { size, distance: 'Cosine' }, shard_number: shards });
  }

  fill(name: string, from: number, to: number, payload: Record<string, unknown> = {}): void {
    for (let id = from; id < to; id += 1) {
      this.put(name, { id, vector: [id + 1, 1, (id % 7) + 1, (id % 3) + 1], payload: { n: id, ...payload } });
    }
  }

  count(name: string): number {
    return this.collection(name).shards.reduce((sum, shard) => sum + shard.points.size, 0);
  }

  ids(name: string): (string | number)[] {
    return this.points(name).map((point) => point.id);
  }

  collection(name: string): Collection {
    const found = this.collections.get(this.aliases.get(name) ?? name);
    if (found === undefined) throw new HttpError(404, `Collection ${name} not found`);
    return found;
  }

  snapshotCount(): number {
    let count = 0;
    for (const { shards } of this.collections.values())
      for (const shard of shards) count += shard.snapshots.size;
    return count;
  }

  private put(name: string, point: Point): void {
    const { shards } = this.collection(name);
    const index =
      parseInt(createHash('md5').update(String(point.id)).digest('hex').slice(0, 6), 16) % shards.length;
    shards[index]?.points.set(String(point.id), point);
  }

  private createFrom(name: string, body: Record<string, unknown>): void {
    if (this.collections.has(name) || this.aliases.has(name))
      throw new HttpError(409, `${name} already exists`);
    const shardNumber = Number(body['shard_number'] ?? 1);
    const shards = Array.from({ length: shardNumber }, () => emptyShard());
    const { vectors, optimizers_config: optimizers, hnsw_config: hnsw } = body;
    this.collections.set(name, {
      config: {
        params: { vectors, shard_number: shardNumber, on_disk_payload: true },
        hnsw_config: { m: 16, ...(hnsw as object) },
        optimizer_config: { flush_interval_sec: 5, ...(optimizers as object) },
      },
      schema: {},
      shards,
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = decodeURIComponent((request.url ?? '/').split('?', 1)[0] ?? '/');
    this.requests.push(`${request.method} ${path}`);
    try {
      if (this.intercept?.(request, response, path) === true) return;
      const body = await readJson(request);
      if (request.headers['api-key'] !== this.apiKey) throw new HttpError(401, 'Must provide an API key');
      await this.onRequest?.(request.method ?? '', path);
      const result = await this.route(request.method ?? '', path, body, response);
      if (response.headersSent) return;
      const text = JSON.stringify(path === '/' ? result : { result, status: 'ok', time: 0 });
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 500;
      const message = error instanceof Error ? error.message : String(error);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ status: { error: message }, time: 0 }));
    }
  }

  private async route(
    method: string,
    path: string,
    body: Record<string, unknown>,
    response: ServerResponse,
  ): Promise<unknown> {
    if (path === '/') return { title: 'qdrant', version: this.version };
    if (path === '/aliases') {
      return {
        aliases: [...this.aliases].map(([alias, name]) => ({ alias_name: alias, collection_name: name })),
      };
    }
    if (path === '/collections')
      return { collections: [...this.collections.keys()].map((name) => ({ name })) };
    if (path === '/collections/aliases') return this.changeAliases(body);
    const [, , name = '', section, third, fourth, fifth] = path.split('/');
    if (section === undefined) return this.collectionRequest(method, name, body);
    if (section === 'cluster') return this.cluster(name);
    if (section === 'index') return this.index(method, name, third, body);
    if (section === 'points') return this.pointsRequest(method, name, third ?? '', body);
    if (section === 'shards') {
      const shard = this.collection(name).shards[Number(third)];
      if (shard === undefined || fourth !== 'snapshots') throw new HttpError(404, `no shard ${third}`);
      return this.snapshots(method, name, shard, fifth, body, response);
    }
    throw new HttpError(404, `no ${method} ${path}`);
  }

  private collectionRequest(method: string, name: string, body: Record<string, unknown>): unknown {
    if (method === 'PUT') this.createFrom(name, body);
    else if (method === 'DELETE') {
      this.collections.delete(name);
      for (const [alias, target] of this.aliases) if (target === name) this.aliases.delete(alias);
    } else if (method === 'PATCH') {
      const { config } = this.collection(name);
      config['hnsw_config'] = body['hnsw_config'];
      config['optimizer_config'] = body['optimizers_config'];
    } else {
      const { config, schema } = this.collection(name);
      return { status: 'green', config, payload_schema: schema };
    }
    return true;
  }

  private changeAliases(body: Record<string, unknown>): boolean {
    for (const action of body['actions'] as Record<string, Record<string, string>>[]) {
      const { create_alias: create, delete_alias: remove } = action;
      if (create !== undefined) {
        if (this.collections.has(create['alias_name'] ?? ''))
          throw new HttpError(409, 'a collection has this name');
        this.aliases.set(create['alias_name'] ?? '', create['collection_name'] ?? '');
      }
      if (remove !== undefined) this.aliases.delete(remove['alias_name'] ?? '');
    }
    return true;
  }

  private cluster(name: string): unknown {
    const { shards } = this.collection(name);
    const local = shards.map((shard, index) => ({
      shard_id: index,
      points_count: shard.points.size,
      state: 'Active',
    }));
    return {
      peer_id: 1,
      shard_count: shards.length,
      local_shards: local,
      remote_shards: [],
      shard_transfers: [],
    };
  }

  private index(
    method: string,
    name: string,
    field: string | undefined,
    body: Record<string, unknown>,
  ): unknown {
    const { schema } = this.collection(name);
    if (method === 'DELETE') delete schema[field ?? ''];
    else schema[String(body['field_name'])] = { data_type: String(body['field_schema']), points: 0 };
    return { status: 'completed' };
  }

  private pointsRequest(
    method: string,
    name: string,
    action: string,
    body: Record<string, unknown>,
  ): unknown {
    const collection = this.collection(name);
    if (method === 'PUT') {
      for (const point of body['points'] as Point[]) this.put(name, point);
      return { operation_id: 1, status: 'completed' };
    }
    if (collection.shards.some((shard) => shard.dirty))
      throw new HttpError(500, 'Service internal error: Dirty shard');
    switch (action) {
      case 'count':
        return { count: this.count(name) };
      case 'scroll': {
        const all = this.points(name);
        const start =
          body['offset'] === undefined ? 0 : all.findIndex((point) => point.id === body['offset']);
        const end = start + Number(body['limit'] ?? 10);
        return { points: all.slice(start, end), next_page_offset: all[end]?.id ?? null };
      }
      case 'query':
        return {
          points: nearest(this.points(name), body['query'] as number[]).slice(0, Number(body['limit'])),
        };
      case 'delete': {
        for (const id of (body['points'] ?? []) as (string | number)[]) {
          for (const shard of collection.shards) shard.points.delete(String(id));
        }
        return { operation_id: 1, status: 'completed' };
      }
      case '': {
        const wanted = new Set((body['ids'] as (string | number)[]).map(String));
        return this.points(name).filter((point) => wanted.has(String(point.id)));
      }
      default:
        throw new HttpError(404, `no points/${action}`);
    }
  }

  private points(name: string): Point[] {
    const all = this.collection(name).shards.flatMap((shard) => [...shard.points.values()]);
    return all.sort((a, b) => Number(a.id) - Number(b.id));
  }

  private async snapshots(
    method: string,
    name: string,
    shard: Shard,
    action: string | undefined,
    body: Record<string, unknown>,
    response: ServerResponse,
  ): Promise<unknown> {
    if (action === undefined && method === 'POST') {
      const content = Buffer.from(JSON.stringify([...shard.points.values()]));
      // One second of resolution, as in the real one: a second snapshot in one second replaces the first.
      const file = `shard-${new Date().toISOString().slice(0, 19)}.snapshot`;
      shard.snapshots.set(file, content);
      return { name: file, size: content.length, checksum: sha256(content) };
    }
    if (action === undefined) {
      return [...shard.snapshots].map(([file, content]) => ({
        name: file,
        size: content.length,
        checksum: null,
      }));
    }
    if (action === 'recover') return this.recover(name, shard, body);
    const content = shard.snapshots.get(action);
    if (content === undefined) throw new HttpError(404, `no snapshot ${action}`);
    if (method === 'DELETE') return shard.snapshots.delete(action);
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(content);
    return null;
  }

  private async recover(name: string, shard: Shard, body: Record<string, unknown>): Promise<boolean> {
    const location = String(body['location']);
    if (location.includes('://')) throw new HttpError(400, 'URLs with this scheme are not supported');
    const index = this.collection(name).shards.indexOf(shard);
    const content = await readFile(
      join(this.snapshotsPath, name, 'shards', String(index), basename(location)),
    );
    if (sha256(content) !== body['checksum']) throw new HttpError(400, 'Snapshot checksum mismatch');
    shard.points.clear();
    // With any other priority the result is an empty shard.
    if (body['priority'] !== 'snapshot') return true;
    shard.dirty = false;
    for (const point of JSON.parse(content.toString('utf8')) as Point[])
      shard.points.set(String(point.id), point);
    return true;
  }
}

class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

function emptyShard(): Shard {
  return { points: new Map(), snapshots: new Map(), dirty: false };
}

function nearest(points: readonly Point[], query: readonly number[]): Point[] {
  const score = (vector: readonly number[]): number => {
    const dot = vector.reduce((sum, value, index) => sum + value * (query[index] ?? 0), 0);
    return dot / (Math.hypot(...vector) * Math.hypot(...query));
  };
  return [...points].sort((a, b) => score(b.vector) - score(a.vector));
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

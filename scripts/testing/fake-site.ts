/** One site in this process: an HTTPS server that behaves like edge, agent and Qdrant together, as its world says. */
import https from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type {
  AgentEvent,
  DivergedSummary,
  PublishInfo,
  Reason,
  SiteState,
  StatusResponse,
} from '../../infra/contract/agent-api';
import type { FakeWorld } from './fake-world';

interface Collection {
  readonly points: Map<number, unknown>;
  indexes: string[];
  aliases: string[];
}
export type Data = Map<string, Collection>;

export class FakeSite {
  state: SiteState = 'standby';
  data: Data = new Map();
  applied: PublishInfo | null = null;
  readonly events: AgentEvent[] = [];
  /** The engine hangs: completions and canaries get no answer. */
  hung = false;
  /** Acknowledges writes although it does not hold the lease. */
  writesWithoutLease = false;
  witness: StatusResponse['witness'] = 'healthy';
  promotableReasons: Reason[] = [];
  /** Epoch that it stamps on writes it should not take. */
  staleEpoch = 0;
  private server: https.Server | null = null;
  private readonly sockets = new Set<Socket>();

  constructor(
    readonly name: string,
    readonly host: string,
    readonly address: string,
    private readonly world: FakeWorld,
  ) {}

  get up(): boolean {
    return this.server !== null;
  }
  get holds(): boolean {
    return this.world.lease.holder === this.name;
  }

  async start(port: number): Promise<number> {
    const server = https.createServer(
      { cert: this.world.tls.certificate, key: this.world.tls.key },
      (request, response) => void this.handle(request, response),
    );
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.listen(port, this.address, resolve);
    });
    this.server = server;
    return (server.address() as { port: number }).port;
  }

  /** As if the power were cut: connections are reset and refused. */
  async stop(): Promise<void> {
    const server = this.server;
    this.server = null;
    for (const socket of this.sockets) socket.resetAndDestroy();
    if (server !== null) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  readonly vetoes: unknown[] = [];
  readonly drills: unknown[] = [];
  /** What only this site had when it was overwritten, and the lines that say it. */
  setAside: { summary: DivergedSummary; lines: string[] }[] = [];

  /** Ends open connections, as an edge does when its site stops being active. */
  closeConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  event(kind: AgentEvent['kind'], detail = ''): void {
    this.events.push({
      at: new Date().toISOString(),
      site: this.name,
      kind,
      detail,
      epoch: this.world.lease.epoch,
    });
  }

  status(): StatusResponse {
    const canary = {
      health: this.hung ? ('failing' as const) : ('healthy' as const),
      ageSeconds: 0.1,
      detail: '',
    };
    const well = { health: 'healthy' as const, ageSeconds: 0.1, detail: '' };
    return {
      site: this.name,
      state: this.state,
      ready: this.holds,
      writable: this.holds,
      lease: { ...this.world.lease },
      writableForSeconds: this.holds ? 5 : null,
      witness: this.witness,
      peer: { health: 'healthy', state: null, promotable: null },
      canary: { inference: canary, vectors: well, edge: well },
      promotable: {
        promotable: this.state === 'standby' && this.promotableReasons.length === 0,
        site: this.name,
        reasons: this.promotableReasons,
      },
      published: null,
      applied: this.applied === null ? null : { ...this.applied, dataAgeSeconds: 1 },
      busy: null,
      versions: { agent: 'test', qdrant: '1.18.3', vllm: null },
      parity: { configHash: 'a', modelSha256: 'b', qdrantVersion: '1.18.3' },
      switching: { mode: 'automatic' },
      events: this.events,
    };
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    response.setHeader('x-failover-site', this.name);
    const say = (status: number, answer: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(answer));
    };
    const operator = request.headers.authorization === 'Bearer operator-key';
    if (path === '/readyz')
      return say(this.holds ? 200 : 503, { ready: this.holds, site: this.name, reasons: [] });
    if (path === '/status' || path === '/promotable' || path.startsWith('/failover/')) {
      if (!operator)
        return say(401, { error: { code: 'unauthorised', message: 'the key is not the operator key' } });
      if (path === '/status') return say(200, this.status());
      if (path === '/promotable') return say(200, this.status().promotable);
      const [status, answer] = await this.world.command(this, path.slice('/failover/'.length), body);
      return say(status, answer);
    }
    if (request.headers.authorization !== 'Bearer client-key') {
      return say(401, { error: { code: 'unauthorised', message: 'the key is not the client key' } });
    }
    const server = this.world.reader(this);
    if (path === '/v1/completions') {
      if (server.hung) return; // no answer, like the real one
      return say(200, { choices: [{ text: 'pong' }] });
    }
    const [status, answer] = this.vectors(request.method ?? 'GET', path, body, server);
    return say(
      status,
      answer,
      status === 200 && isWrite(request.method, path) ? { 'x-failover-epoch': String(this.epoch) } : {},
    );
  }

  private get epoch(): number {
    return this.holds ? this.world.lease.epoch : this.staleEpoch;
  }

  private vectors(method: string, path: string, body: unknown, reader: FakeSite): [number, unknown] {
    const input = (body ?? {}) as Record<string, unknown>;
    if (isWrite(method, path) && !this.holds && !this.writesWithoutLease) {
      return [503, { error: { code: 'not-active', message: `${this.world.lease.holder} is active` } }];
    }
    if (path === '/collections') return [200, { result: { collections: [] } }];
    if (path === '/collections/aliases') {
      for (const action of input['actions'] as Record<
        string,
        { collection_name?: string; alias_name: string }
      >[]) {
        const make = action['create_alias'];
        const collection = this.data.get(make?.collection_name ?? '');
        if (make !== undefined && collection !== undefined) collection.aliases.push(make.alias_name);
      }
      return [200, { result: true }];
    }
    const name = path.split('/')[2] ?? '';
    const rest = path.split('/').slice(3).join('/');
    if (method === 'PUT' && rest === '') {
      this.data.set(name, { points: new Map(), indexes: [], aliases: [] });
      return [200, { result: true }];
    }
    if (method === 'DELETE' && rest === '') {
      this.data.delete(name);
      return [200, { result: true }];
    }
    const source = isWrite(method, path) ? this : reader;
    const found = [...source.data].find(
      ([each, value]) => each === name || value.aliases.includes(name),
    )?.[1];
    if (found === undefined) return [404, { status: { error: `no collection ${name}` } }];
    if (method === 'PUT' && rest === 'index') {
      found.indexes.push(String(input['field_name']));
      return [200, { result: { status: 'completed' } }];
    }
    if (method === 'PUT' && rest === 'points') {
      for (const point of input['points'] as { id: number; vector: unknown }[])
        found.points.set(point.id, point.vector);
      return [200, { result: { operation_id: 1, status: 'completed' } }];
    }
    if (rest === 'points/search') {
      const wanted = JSON.stringify(input['vector']);
      const id = [...found.points].find(([, vector]) => JSON.stringify(vector) === wanted)?.[0];
      return [200, { result: id === undefined ? [] : [{ id, score: 1 }] }];
    }
    if (rest === 'points/scroll') {
      const limit = Number(input['limit']);
      const ids = [...found.points.keys()]
        .sort((a, b) => a - b)
        .filter((id) => id >= Number(input['offset'] ?? 0));
      return [
        200,
        {
          result: { points: ids.slice(0, limit).map((id) => ({ id })), next_page_offset: ids[limit] ?? null },
        },
      ];
    }
    if (rest === 'aliases')
      return [200, { result: { aliases: found.aliases.map((alias_name) => ({ alias_name })) } }];
    if (rest === '') {
      return [
        200,
        { result: { payload_schema: Object.fromEntries(found.indexes.map((field) => [field, {}])) } },
      ];
    }
    const id = Number(rest.split('/')[1]);
    return found.points.has(id) ? [200, { result: { id } }] : [404, { status: { error: 'no such point' } }];
  }
}

function isWrite(method: string | undefined, path: string): boolean {
  return method === 'PUT' || method === 'DELETE' || path === '/collections/aliases';
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

export function copyData(data: Data): Data {
  return new Map(
    [...data].map(([name, each]) => [
      name,
      { points: new Map(each.points), indexes: [...each.indexes], aliases: [...each.aliases] },
    ]),
  );
}

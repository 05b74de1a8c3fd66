/**
 * Cloudflare's API v4, as far as the agent uses it, from its published schema: the envelope, its error codes, and the
 * refusal of paths, queries and fields that it does not know.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

export interface FakeRecord {
  id: string;
  name: string;
  type: 'A' | 'AAAA' | 'TXT';
  content: string;
  ttl: number;
  proxied: boolean;
  comment: string | null;
}

const EditBody = z.strictObject({
  name: z.string().min(1).max(255),
  type: z.literal('A'),
  ttl: z.union([z.literal(1), z.number().int().min(60).max(86_400)]),
  content: z.ipv4(),
  proxied: z.boolean().optional(),
  comment: z.string().max(100).optional(),
});

export type Fault =
  | 'rate-limited'
  | 'server-error'
  | 'not-json'
  | 'hang'
  /** Carried out, and the answer is lost. */
  | 'lost-answer'
  /** Answered with success, and not carried out. */
  | 'ignored';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export const ZONE_ID = '0123456789abcdef0123456789abcdef';
export const TOKEN = 'token-of-the-zone';
const RECORD_ID = 'record-';

export class FakeCloudflare {
  readonly records: FakeRecord[] = [];
  readonly seen: Seen[] = [];
  /** One is taken off for each request of the method. */
  readonly faults: { readonly method: 'GET' | 'PATCH'; readonly fault: Fault }[] = [];
  /** Held before a PATCH is carried out. */
  beforeEdit: () => Promise<void> = () => Promise.resolve();
  private server: Server | null = null;
  private made = 0;

  get apiUrl(): string {
    return `http://127.0.0.1:${(this.server?.address() as AddressInfo).port}/client/v4`;
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => void this.handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.server = server;
  }

  async close(): Promise<void> {
    const { server } = this;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  add(name: string, content: string, type: FakeRecord['type'] = 'A'): FakeRecord {
    const id = `${RECORD_ID}${(this.made += 1)}`;
    const record: FakeRecord = { id, name, type, content, ttl: 60, proxied: false, comment: null };
    this.records.push(record);
    return record;
  }

  addresses(name: string): string[] {
    return this.records
      .filter((record) => record.type === 'A' && record.name === name)
      .map(({ content }) => content);
  }

  writes(): Seen[] {
    return this.seen.filter(({ method }) => method !== 'GET');
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://api');
    const method = request.method ?? 'GET';
    const body = await readJson(request);
    this.seen.push({ method, path: `${url.pathname}${url.search}`, body });
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return fail(response, 403, 10000, 'Authentication error');
    const at = this.faults.findIndex((planned) => planned.method === method);
    const fault = at === -1 ? undefined : this.faults.splice(at, 1)[0]?.fault;
    if (fault === 'hang') return;
    if (fault === 'rate-limited') {
      response.setHeader('retry-after', '7');
      return fail(response, 429, 971, 'Please wait and consider throttling your request speed');
    }
    if (fault === 'server-error') return fail(response, 500, 1000, 'Internal error');
    if (fault === 'not-json') return void response.writeHead(502).end('<html>Bad gateway</html>');
    const prefix = `/client/v4/zones/${ZONE_ID}/dns_records`;
    if (method === 'GET' && url.pathname === prefix) return this.list(url.searchParams, response);
    const id = url.pathname.startsWith(`${prefix}/`) ? url.pathname.slice(prefix.length + 1) : '';
    if (method === 'PATCH' && id !== '') return this.edit(id, body, response, fault);
    return fail(response, 404, 7000, 'No route for that URI');
  }

  private list(query: URLSearchParams, response: ServerResponse): void {
    for (const key of query.keys())
      if (!['type', 'name.exact', 'per_page'].includes(key))
        return fail(response, 400, 9999, `the fake knows no query ${key}`);
    const perPage = Number(query.get('per_page') ?? 100);
    const found = this.records.filter(
      (record) =>
        (query.get('type') ?? record.type) === record.type &&
        (query.get('name.exact') ?? record.name) === record.name,
    );
    const page = found.slice(0, perPage);
    const info = {
      page: 1,
      per_page: perPage,
      count: page.length,
      total_count: found.length,
      total_pages: Math.ceil(found.length / perPage),
    };
    succeed(response, page, { result_info: info });
  }

  private async edit(
    id: string,
    body: unknown,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    await this.beforeEdit();
    const parsed = EditBody.safeParse(body);
    if (!parsed.success) return fail(response, 400, 9005, `DNS Validation Error: ${parsed.error.message}`);
    const record = this.records.find((each) => each.id === id);
    if (record === undefined) return fail(response, 404, 81044, 'Record does not exist.');
    const { name, type, content, ttl } = parsed.data;
    const twin = this.records.some(
      (each) => each !== record && each.name === name && each.type === type && each.content === content,
    );
    if (twin) return fail(response, 400, 81058, 'An identical record already exists.');
    if (fault !== 'ignored') Object.assign(record, { name, type, content, ttl });
    if (fault === 'lost-answer') return void response.destroy();
    succeed(response, { ...record, content, ttl });
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? null : JSON.parse(text);
}

function succeed(response: ServerResponse, result: unknown, more: object = {}): void {
  send(response, 200, { result, success: true, errors: [], messages: [], ...more });
}

function fail(response: ServerResponse, status: number, code: number, message: string): void {
  send(response, status, { result: null, success: false, errors: [{ code, message }], messages: [] });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

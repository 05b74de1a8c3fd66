/**
 * Cloudflare's API v4 on loopback, as far as the program uses it: the envelope, the refusal of what it does not know, and
 * behind it the objects of one account. The agent's tests have one of their own, for the two calls that an agent makes and
 * the ways in which they fail (`agent/site/dns/testing`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Alerting } from './alerting';
import { LoadBalancing, type LoadBalancingSubscription } from './load-balancing';
import { R2 } from './r2';
import { Zones, type ZoneSettings } from './records';
import { Refusal } from './refusal';
import { match, Page, type Route } from './route';

export interface CloudflareAccount {
  readonly accountId: string;
  /** The one token that there is; it may do everything. */
  readonly token: string;
  readonly zones: readonly ZoneSettings[];
  readonly loadBalancing: LoadBalancingSubscription;
}

const BASE = '/client/v4';

export class CloudflareApi {
  readonly zones: Zones;
  readonly loadBalancing: LoadBalancing;
  readonly alerting = new Alerting();
  readonly r2 = new R2();
  /** Every call that changed something, such as `POST /accounts/…/r2/buckets`. */
  readonly writes: string[] = [];
  private readonly routes: readonly Route[];
  private readonly server: Server;

  private constructor(private readonly account: CloudflareAccount) {
    this.zones = new Zones(account.zones, account.accountId);
    this.loadBalancing = new LoadBalancing(account.loadBalancing, this.zones);
    this.routes = [this.zones, this.loadBalancing, this.alerting, this.r2].flatMap((part) => part.routes());
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  static async start(account: CloudflareAccount): Promise<CloudflareApi> {
    const api = new CloudflareApi(account);
    api.server.listen(0, '127.0.0.1');
    await once(api.server, 'listening');
    return api;
  }

  /** Such as `http://127.0.0.1:34567/client/v4`. */
  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${BASE}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const result = await this.answer(request);
      const page = result instanceof Page ? { result: result.result, result_info: result.info } : { result };
      send(response, 200, { success: true, errors: [], messages: [], ...page });
    } catch (error) {
      const { status, code, message } =
        error instanceof Refusal ? error : new Refusal(500, 1000, `the emulator failed: ${String(error)}`);
      send(response, status, { success: false, errors: [{ code, message }], messages: [], result: null });
    }
  }

  private async answer(request: IncomingMessage): Promise<unknown> {
    const url = new URL(request.url ?? '/', 'http://api');
    const method = request.method ?? 'GET';
    const body = await readJson(request);
    if (request.headers.authorization !== `Bearer ${this.account.token}`)
      throw new Refusal(403, 10000, 'Authentication error');
    const path = url.pathname.startsWith(`${BASE}/`) ? url.pathname.slice(BASE.length) : '';
    for (const route of this.routes) {
      const params = route.method === method ? match(route.path, path) : undefined;
      if (params === undefined) continue;
      if (params['account'] !== undefined && params['account'] !== this.account.accountId)
        throw new Refusal(
          404,
          7003,
          `Could not route to ${url.pathname}, perhaps your object identifier is invalid?`,
        );
      const result = route.answer({ params, query: url.searchParams, headers: request.headers, body });
      if (method !== 'GET') this.writes.push(`${method} ${path}`);
      return result;
    }
    throw new Refusal(404, 7000, 'No route for that URI');
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 6007, 'Malformed JSON in request body');
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

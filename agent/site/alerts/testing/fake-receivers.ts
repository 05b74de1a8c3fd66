/** PagerDuty's, Opsgenie's, Slack's and a plain receiver on loopback; each refuses what its original would refuse. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

export const PAGERDUTY_KEY = 'r'.repeat(32);
export const OPSGENIE_KEY = 'genie-key';
export const SLACK_PATH = '/services/T000/B000/slack-secret';
export const GENERIC_PATH = '/hooks/generic-secret';

const severity = z.enum(['critical', 'error', 'warning', 'info']);
const bodies = {
  pagerduty: z.discriminatedUnion('event_action', [
    z.strictObject({
      routing_key: z.literal(PAGERDUTY_KEY),
      event_action: z.literal('trigger'),
      dedup_key: z.string().min(1).max(255),
      client: z.string(),
      payload: z.strictObject({
        summary: z.string().min(1).max(1024),
        source: z.string().min(1),
        severity,
        timestamp: z.iso.datetime(),
        component: z.string(),
        group: z.string(),
        class: z.string(),
        custom_details: z.record(z.string(), z.unknown()),
      }),
    }),
    z.strictObject({
      routing_key: z.literal(PAGERDUTY_KEY),
      event_action: z.literal('resolve'),
      dedup_key: z.string().min(1).max(255),
    }),
  ]),
  'opsgenie-create': z.strictObject({
    message: z.string().min(1).max(130),
    alias: z.string().min(1).max(512),
    description: z.string().max(15_000),
    entity: z.string().max(512),
    source: z.string().max(100),
    priority: z.enum(['P1', 'P2', 'P3', 'P4', 'P5']),
    tags: z.array(z.string().max(50)).max(20),
    details: z.record(z.string(), z.string()),
  }),
  'opsgenie-close': z.strictObject({ source: z.string().max(100), note: z.string().max(25_000) }),
  slack: z.strictObject({ text: z.string().min(1).max(40_000) }),
  generic: z.strictObject({
    version: z.literal(1),
    action: z.enum(['trigger', 'resolve']),
    dedupKey: z.string(),
    site: z.string(),
    siteHost: z.string(),
    key: z.string(),
    severity,
    summary: z.string(),
    detail: z.string(),
    since: z.iso.datetime(),
    over: z.iso.datetime().nullable(),
    epoch: z.number().nullable(),
  }),
} as const;
type Kind = keyof typeof bodies;

export interface Received {
  readonly kind: Kind;
  readonly path: string;
  readonly body: Record<string, unknown>;
}

export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class FakeReceivers {
  readonly received: Received[] = [];
  /** One is taken off for each request, before anything else is looked at. */
  readonly refusals: Refusal[] = [];
  hang = false;
  private server: Server | null = null;

  get origin(): string {
    return `http://127.0.0.1:${(this.server?.address() as AddressInfo).port}`;
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

  of(kind: Kind): Received[] {
    return this.received.filter((each) => each.kind === kind);
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (this.hang) return;
    const refusal = this.refusals.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal.status, refusal.headers).end(refusal.body ?? 'refused');
      return;
    }
    const path = request.url ?? '/';
    const kind = kindOf(request, path);
    if (kind === null) return void response.writeHead(404).end('no_service');
    if (kind === 'forbidden')
      return void response.writeHead(403).end('{"message":"Key format is not valid!"}');
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const parsed = bodies[kind].safeParse(body);
    if (!parsed.success || request.headers['content-type'] !== 'application/json') {
      const message = parsed.success ? 'content type' : z.prettifyError(parsed.error);
      return void response.writeHead(400).end(JSON.stringify({ status: 'invalid event', message }));
    }
    this.received.push({ kind, path, body: parsed.data });
    answer(kind, response);
  }
}

function kindOf(request: IncomingMessage, path: string): Kind | 'forbidden' | null {
  if (request.method !== 'POST') return null;
  if (path === '/v2/enqueue') return 'pagerduty';
  if (path === SLACK_PATH) return 'slack';
  if (path === GENERIC_PATH) return 'generic';
  if (!path.startsWith('/v2/alerts')) return null;
  if (request.headers.authorization !== `GenieKey ${OPSGENIE_KEY}`) return 'forbidden';
  if (path === '/v2/alerts') return 'opsgenie-create';
  return /^\/v2\/alerts\/[^/]+\/close\?identifierType=alias$/.test(path) ? 'opsgenie-close' : null;
}

function answer(kind: Kind, response: ServerResponse): void {
  if (kind === 'slack') response.writeHead(200, { 'content-type': 'text/html' }).end('ok');
  else if (kind === 'generic') response.writeHead(204).end();
  else {
    const body =
      kind === 'pagerduty'
        ? { status: 'success', message: 'Event processed', dedup_key: 'as sent' }
        : { result: 'Request will be processed', took: 0.1, requestId: 'request' };
    response.writeHead(202, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
}

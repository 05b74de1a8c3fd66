/**
 * Stands before the witness's object store and makes it faulty. Speaks TLS with the store's own certificate, and to the
 * store with the lab's authority, so that the product checks what it always checks.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isLeaseWrite, isRemembered, judge, type StoreFaults, type Version } from './verdict';

export interface ProxyOptions {
  readonly certificate: string;
  readonly key: string;
  /** PEM of the authority of the store's certificate, and the name that it is checked against. */
  readonly authority: string;
  readonly host: string;
  readonly upstreamPort: number;
  /** Asked for every request. */
  readonly faults: () => StoreFaults;
  readonly now?: () => number;
}

const KEPT_VERSIONS = 200;

export class StoreProxy {
  private readonly versions = new Map<string, Version[]>();
  private requests = 0;
  private leaseWrites = 0;
  private readonly now: () => number;

  constructor(private readonly options: ProxyOptions) {
    this.now = options.now ?? (() => performance.now());
  }

  server(): Server {
    const { certificate, key } = this.options;
    return createServer({ cert: certificate, key }, (request, response) => {
      this.handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const faults = this.options.faults();
    const method = request.method ?? 'GET';
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    this.requests += 1;
    const number = this.requests;
    if (isLeaseWrite(method, path)) this.leaseWrites += 1;
    const leaseWrite = this.leaseWrites;
    const body = isRemembered(path) ? await bodyOf(request) : request;
    if (faults.slowSeconds !== undefined) await delay(faults.slowSeconds * 1000);
    const known = this.versions.get(path) ?? [];
    const ifMatch = request.headers['if-match'] ?? null;
    const verdict = judge(faults, { method, path, ifMatch, number, leaseWrite }, known, this.now());
    switch (verdict.kind) {
      case 'error':
        if (verdict.carriedOut) await this.forward(request, body, path, null);
        else request.resume();
        response.writeHead(verdict.status, { 'content-type': 'application/xml' });
        response.end('<Error><Code>InternalError</Code><Message>a fault of the lab</Message></Error>');
        return;
      case 'stale':
        answer(response, { etag: verdict.version.etag }, verdict.version.body);
        return;
      case 'lose':
        answer(response, { etag: etagOf(body as Buffer) }, Buffer.alloc(0));
        return;
      case 'pass':
        await this.forward(request, body, path, response);
    }
  }

  /** To the store as it came, but for the connection's own headers: the signature covers the rest. */
  private forward(
    request: IncomingMessage,
    body: Buffer | IncomingMessage,
    path: string,
    response: ServerResponse | null,
  ): Promise<void> {
    const { host, upstreamPort, authority } = this.options;
    const headers = { ...request.headers };
    delete headers.connection;
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest({
        host: '127.0.0.1',
        servername: host,
        port: upstreamPort,
        ca: authority,
        method: request.method,
        path: request.url,
        headers,
        agent: false,
      });
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => {
        incoming.on('error', reject);
        incoming.on('end', resolve);
        response?.writeHead(incoming.statusCode ?? 502, incoming.headers);
        if (isRemembered(path)) void this.remember(request.method, path, body as Buffer, incoming);
        if (response === null) incoming.resume();
        else incoming.pipe(response);
      });
      if (Buffer.isBuffer(body)) outgoing.end(body);
      else body.pipe(outgoing);
    });
  }

  private async remember(
    method: string | undefined,
    path: string,
    sent: Buffer,
    incoming: IncomingMessage,
  ): Promise<void> {
    const { etag } = incoming.headers;
    if (incoming.statusCode !== 200 || etag === undefined) return;
    const body = method === 'PUT' ? sent : await bodyOf(incoming);
    if (method !== 'PUT' && method !== 'GET') return;
    const known = this.versions.get(path) ?? [];
    if (known.at(-1)?.etag === etag) return;
    this.versions.set(path, [...known, { at: this.now(), etag, body }].slice(-KEPT_VERSIONS));
  }
}

/** The ETag that the store would have given: it is the content's hash. */
const etagOf = (body: Buffer): string => `"${createHash('md5').update(body).digest('hex')}"`;

function answer(response: ServerResponse, headers: Readonly<Record<string, string>>, body: Buffer): void {
  response.writeHead(200, { ...headers, 'content-length': String(body.length) });
  response.end(body);
}

async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', resolve);
    stream.on('error', reject);
  });
  return Buffer.concat(chunks);
}

/** The faults written down in a file; none where there is no such file. */
export function faultsIn(file: string): StoreFaults {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as StoreFaults;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

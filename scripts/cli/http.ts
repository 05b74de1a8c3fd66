/**
 * One HTTPS request with explicit deadlines, straight over node's client: no hidden retries, no redirects, no pool
 * unless one is given. The name is for SNI and the certificate, the address is where it connects, so that control
 * never depends on DNS.
 */
import https from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

export interface HttpRequest {
  /** Name in SNI, in the certificate and in the Host header. */
  readonly host: string;
  readonly port: number;
  /** Where to connect; absent: the host is resolved by the system (or by the agent's `lookup`). */
  readonly address?: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** For everything: connecting, TLS, sending, and the last byte of the answer. */
  readonly timeoutMs: number;
  readonly caCertificate?: string | undefined;
  /** A pool to take connections from; absent: a new connection that is closed afterwards. */
  readonly agent?: https.Agent;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Address that answered. */
  readonly address: string;
}

/** The request got no complete answer. `code` is node's (ECONNREFUSED, …) or TIMEOUT. */
export class NoAnswerError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'NoAnswerError';
  }
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export function httpRequest(request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const payload = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    let settled = false;
    const finish = (settle: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', abort);
      settle();
    };
    const fail = (code: string, message: string): void =>
      finish(() => {
        outgoing.destroy();
        reject(new NoAnswerError(code, message));
      });
    const abort = (): void => fail('ABORTED', 'stopped before an answer came');
    const timer = setTimeout(
      () => fail('TIMEOUT', `no answer within ${Math.round(request.timeoutMs)} ms`),
      request.timeoutMs,
    );

    const outgoing = https.request({
      host: request.address ?? request.host,
      port: request.port,
      ...(isIP(request.host) === 0 ? { servername: request.host } : {}),
      method: request.method ?? 'GET',
      path: request.path,
      agent: request.agent ?? false,
      ...(request.caCertificate === undefined ? {} : { ca: request.caCertificate }),
      minVersion: 'TLSv1.2',
      headers: {
        host: request.port === 443 ? request.host : `${request.host}:${request.port}`,
        accept: 'application/json',
        ...(request.agent === undefined ? { connection: 'close' } : {}),
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(payload.length) }),
        ...request.headers,
      },
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'ERROR', error.message));
    outgoing.on('response', (incoming) => {
      const address = incoming.socket.remoteAddress ?? request.address ?? request.host;
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) fail('TOO_LARGE', `the answer is over ${MAX_ANSWER_BYTES} bytes`);
      });
      incoming.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'ERROR', error.message));
      incoming.on('aborted', () => fail('ECONNRESET', 'the connection ended in the middle of the answer'));
      incoming.on('end', () =>
        finish(() =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString('utf8'),
            address,
          }),
        ),
      );
    });
    request.signal?.addEventListener('abort', abort, { once: true });
    outgoing.end(payload);
    if (request.signal?.aborted === true) abort();
  });
}

/** First value of a header, or null. */
export function header(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

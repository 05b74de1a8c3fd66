/** The agent's HTTP server: a table of routes, keys, bounded bodies, and one shape for every error. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { SkippedResponse } from '../../../infra/contract/agent-api';
import { SwitchRefusedError } from '../../lease';
import { AgentError } from '../../shared/errors';
import type { Logger } from '../../shared/logger';
import { SkippedError, codeOf, messageOf } from '../errors';
import { sendError, sendJson } from '../http-answers';
import type { KeyCheck } from '../keys';

export const MAX_BODY_BYTES = 64 * 1024;

export class RequestInvalidError extends AgentError {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export type Access = 'open' | 'operator' | 'peer';

export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: { readonly type: string; readonly content: string };
}

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly access: Access;
  /** Where more than MAX_BODY_BYTES may come. */
  readonly maxBytes?: number;
  readonly handle: (body: unknown) => Answer | Promise<Answer>;
}

/** A route whose body must fit a schema. */
export function post<T>(
  path: string,
  access: Access,
  schema: z.ZodType<T>,
  handle: (body: T) => Answer | Promise<Answer>,
  maxBytes = MAX_BODY_BYTES,
): Route {
  return {
    method: 'POST',
    path,
    access,
    maxBytes,
    handle: (body) => {
      const parsed = schema.safeParse(body);
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        const where = issue === undefined ? '' : ` ${issue.path.join('.')}: ${issue.message}`;
        throw new RequestInvalidError(
          400,
          'BODY_INVALID',
          `The body of POST ${path} is not as expected:${where}.`,
        );
      }
      return handle(parsed.data);
    },
  };
}

export interface ApiServerOptions {
  readonly routes: readonly Route[];
  readonly keys: { readonly operator: KeyCheck; readonly peer: KeyCheck };
  readonly logger: Logger;
}

export class ApiServer {
  private readonly server: Server;
  private readonly routes: ReadonlyMap<string, Route>;
  private readonly methodsOf: ReadonlyMap<string, readonly string[]>;

  constructor(private readonly options: ApiServerOptions) {
    this.routes = new Map(options.routes.map((route) => [`${route.method} ${route.path}`, route]));
    const methods = new Map<string, string[]>();
    for (const { path, method } of options.routes) methods.set(path, [...(methods.get(path) ?? []), method]);
    this.methodsOf = methods;
    this.server = createServer(
      { keepAliveTimeout: 65_000 },
      (request, response) => void this.handle(request, response),
    );
  }

  async listen(port: number, host = '127.0.0.1'): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, host, resolve);
    });
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.answer(request);
      if (answer.text !== undefined) {
        response.writeHead(answer.status, { 'content-type': answer.text.type });
        response.end(answer.text.content);
      } else if (answer.body === undefined) {
        response.writeHead(answer.status).end();
      } else {
        sendJson(response, answer.status, answer.body);
      }
    } catch (error) {
      this.sendFailure(request, response, error);
    }
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
    const route = this.routes.get(`${method} ${path}`);
    if (route === undefined) {
      const methods = this.methodsOf.get(path);
      if (methods === undefined)
        throw new RequestInvalidError(404, 'NOT_FOUND', `There is nothing at ${path}.`);
      throw new RequestInvalidError(405, 'METHOD_NOT_ALLOWED', `${path} takes ${methods.join(' or ')}.`);
    }
    // Before a byte of the body is read.
    if (route.access !== 'open' && !this.options.keys[route.access].accepts(request.headers)) {
      throw new RequestInvalidError(
        401,
        'UNAUTHORIZED',
        `Send the ${route.access} key as \`Authorization: Bearer\`.`,
      );
    }
    return route.handle(route.method === 'POST' ? await readBody(request, route.maxBytes) : undefined);
  }

  private sendFailure(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    if (error instanceof SkippedError) {
      const body: SkippedResponse = { skipped: { code: error.code, message: error.message } };
      sendJson(response, 409, body);
      return;
    }
    if (error instanceof RequestInvalidError) {
      sendError(
        response,
        error.status,
        error.code,
        error.message,
        error.status === 413 ? { connection: 'close' } : {},
      );
      return;
    }
    this.options.logger.error({ err: messageOf(error), path: request.url }, 'request failed');
    sendError(response, statusOf(error), codeOf(error), messageOf(error));
  }
}

/** Something this site depends on, or a state that forbids: the caller may try again; the rest are faults of ours. */
function statusOf(error: unknown): number {
  if (!(error instanceof AgentError)) return 500;
  return error instanceof SwitchRefusedError ? 409 : 503;
}

async function readBody(request: IncomingMessage, maxBytes = MAX_BODY_BYTES): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new RequestInvalidError(413, 'BODY_TOO_LARGE', `A body may have ${maxBytes} bytes at most.`);
    }
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new RequestInvalidError(400, 'BODY_INVALID', `The body is not JSON: ${messageOf(cause)}.`);
  }
}

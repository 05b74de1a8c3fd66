/** The peer's agent, through the peer's edge: TLS by the peer's name whatever address it is reached at. */
import { Agent, type Dispatcher } from 'undici';
import type {
  PeerDigestRequest,
  PeerDigestResponse,
  PromiseRequest,
  PromiseResponse,
  PublishInfo,
  StatusResponse,
} from '../../../infra/contract/agent-api';
import { AgentError } from '../../shared/errors';
import { keyLines } from '../../shared/key-lines';
import { codeOf, messageOf } from '../errors';

export class PeerUnreachableError extends AgentError {
  readonly code = 'PEER_UNREACHABLE';
}

/** The peer answered, and refused. */
export class PeerRefusedError extends AgentError {
  readonly code = 'PEER_REFUSED';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface PeerClientOptions {
  readonly host: string;
  readonly addresses: readonly string[];
  readonly caCertificate?: string;
  /** The first line is presented; the next, where the peer does not know the first yet. */
  readonly key: string;
  readonly timeoutMs: number;
  /** Tests talk plain HTTP to loopback. */
  readonly origin?: (address: string) => string;
}

export class PeerClient {
  private readonly agent: Agent;
  /** Address that answered last is asked first. */
  private preferred = 0;
  private readonly keys: readonly string[];

  constructor(private readonly options: PeerClientOptions) {
    this.keys = keyLines(options.key);
    this.agent = new Agent({
      connections: 4,
      keepAliveTimeout: 30_000,
      // Each request has its own bound; an apply of much data may take long.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        servername: options.host,
        timeout: Math.max(500, Math.floor(options.timeoutMs / options.addresses.length)),
        ...(options.caCertificate === undefined ? {} : { ca: options.caCertificate }),
      },
    });
  }

  status(): Promise<StatusResponse> {
    return this.call('GET', '/peer/status');
  }

  promise(request: PromiseRequest): Promise<PromiseResponse> {
    return this.call('POST', '/peer/promise', request);
  }

  async wake(): Promise<void> {
    await this.call('POST', '/peer/wake');
  }

  /** Answers when the peer has applied and verified just this publish. */
  apply(publishId: string, timeoutMs: number): Promise<PublishInfo> {
    return this.call('POST', '/peer/apply', { publishId }, timeoutMs);
  }

  /** What the peer had in one bucket of a collection when it published; null when it no longer knows. */
  async digestBucket(request: PeerDigestRequest): Promise<PeerDigestResponse['entries']> {
    return (await this.call<PeerDigestResponse>('POST', '/peer/digest', request)).entries;
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  /** Any request to the other side; throws when it does not answer, or refuses. */
  async call<T>(method: Dispatcher.HttpMethod, path: string, body?: unknown, timeoutMs?: number): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs ?? this.options.timeoutMs);
    const { addresses } = this.options;
    let last: unknown;
    for (let attempt = 0; attempt < addresses.length; attempt += 1) {
      const index = (this.preferred + attempt) % addresses.length;
      try {
        const answer = await this.send<T>(addresses[index] ?? '', method, path, body, signal);
        this.preferred = index;
        return answer;
      } catch (error) {
        if (error instanceof PeerRefusedError) throw error;
        last = error;
      }
    }
    throw new PeerUnreachableError(
      `The peer ${this.options.host} did not answer ${method} ${path} (${codeOf(last)}: ${messageOf(last)}).`,
      { cause: last },
    );
  }

  private async send<T>(
    address: string,
    method: Dispatcher.HttpMethod,
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): Promise<T> {
    const { host, origin } = this.options;
    const literal = address.includes(':') ? `[${address}]` : address;
    let statusCode = 401;
    let text = '';
    for (const key of this.keys) {
      const response = await this.agent.request({
        origin: origin?.(address) ?? `https://${literal}`,
        method,
        path,
        headers: {
          host,
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal,
      });
      text = await response.body.text();
      statusCode = response.statusCode;
      if (statusCode !== 401) break;
    }
    if (statusCode === 204) return undefined as T;
    if (statusCode === 502 || statusCode === 504 || (statusCode === 503 && !isAgentAnswer(text))) {
      throw new PeerUnreachableError(`the peer's edge answered ${statusCode}: its agent is down`);
    }
    if (statusCode < 200 || statusCode > 299) {
      throw new PeerRefusedError(
        statusCode,
        `The peer answered ${statusCode} to ${method} ${path}: ${text.slice(0, 300)}`,
      );
    }
    return JSON.parse(text) as T;
  }
}

/** The edge answers 503 by itself when the agent behind it is down, with a code of its own in small letters. */
function isAgentAnswer(text: string): boolean {
  return /"code":"[A-Z]/.test(text);
}

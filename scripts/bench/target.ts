/** A way to the server: straight to a loopback port, or through edge and gateway. */
import { Pool, type Dispatcher } from 'undici';
import { fixedLookup } from '../cli/lease-store';

export interface TargetOptions {
  readonly name: 'direct' | 'edge';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the URL's host leads; absent: as it resolves. */
  readonly address?: string;
  readonly caCertificate?: string | undefined;
}

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: string;
}

/** The server answered with something else than 200: what would be measured is not what was meant. */
export class BenchFailedError extends Error {
  readonly code = 'BENCH_FAILED';
}

export class Target {
  readonly name: TargetOptions['name'];
  private pool: Pool;

  constructor(private readonly options: TargetOptions) {
    this.name = options.name;
    this.pool = this.open(1);
  }

  /** Sets how many connections are used at most; open ones are given up. */
  async useConnections(connections: number): Promise<void> {
    await this.pool.close();
    this.pool = this.open(connections);
  }

  /** Sends and reads to the end; throws unless the answer is 200 (or `also`). */
  async send(request: Request, also: readonly number[] = []): Promise<string> {
    const answer = await this.request(request);
    const text = await answer.body.text();
    if (answer.statusCode !== 200 && !also.includes(answer.statusCode)) {
      throw new BenchFailedError(
        `${request.method} ${request.path} (${this.name}): expected 200, got ${answer.statusCode} ${text.slice(0, 300)}`,
      );
    }
    return text;
  }

  request(request: Request): Promise<Dispatcher.ResponseData> {
    return this.pool.request({
      method: request.method,
      path: request.path,
      headers: {
        ...this.options.headers,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: request.body }),
    });
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  private open(connections: number): Pool {
    const { url, address, caCertificate } = this.options;
    return new Pool(url, {
      connections,
      pipelining: 1,
      connect: {
        ...(address === undefined ? {} : { lookup: fixedLookup(address) }),
        ...(caCertificate === undefined ? {} : { ca: caCertificate }),
      },
    });
  }
}

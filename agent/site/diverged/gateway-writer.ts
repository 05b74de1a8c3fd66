/** The agent's own writes of data, through its own write gateway: the lease decides about them as about any client's. */
import { Pool } from 'undici';
import { AgentError } from '../../shared/errors';
import { codeOf, messageOf } from '../errors';

export class WriteRefusedError extends AgentError {
  readonly code = 'WRITE_REFUSED';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface GatewayWriter {
  /** @throws WriteRefusedError with the gateway's or Qdrant's answer */
  write(method: 'PUT' | 'POST' | 'DELETE', path: string, body: string): Promise<void>;
}

const TIMEOUT_MS = 60_000;

export class LoopbackGatewayWriter implements GatewayWriter {
  private pool: Pool | null = null;

  constructor(
    private readonly options: {
      readonly port: () => number;
      readonly apiKey: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    },
  ) {}

  async write(method: 'PUT' | 'POST' | 'DELETE', path: string, body: string): Promise<void> {
    const { port, apiKey, headers, timeoutMs = TIMEOUT_MS } = this.options;
    this.pool ??= new Pool(`http://127.0.0.1:${port()}`, { connections: 1 });
    let status: number;
    let text: string;
    try {
      const response = await this.pool.request({
        method,
        path,
        headers: { 'api-key': apiKey, 'content-type': 'application/json', ...headers },
        body,
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (error) {
      throw new WriteRefusedError(
        0,
        `The write gateway did not answer (${codeOf(error)}: ${messageOf(error)}).`,
      );
    }
    if (status >= 200 && status < 300) return;
    throw new WriteRefusedError(status, `${method} ${path} was answered ${status}: ${text.slice(0, 300)}`);
  }

  async close(): Promise<void> {
    await this.pool?.destroy();
  }
}

import * as https from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface ClientAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ClientRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly localAddress?: string;
  readonly agent?: https.Agent;
}

/** A client of one edge that checks its certificate. */
export class EdgeClient {
  constructor(
    private readonly port: number,
    private readonly ca: string,
  ) {}

  /** Resolves when the headers are there; the body is still to come. */
  open(path: string, request: ClientRequest = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = https.request(
        {
          host: '127.0.0.1',
          port: this.port,
          servername: 'api.test',
          ca: this.ca,
          path,
          method: request.method ?? 'GET',
          headers: { host: 'api.test', ...request.headers },
          agent: request.agent ?? false,
          ...(request.localAddress === undefined ? {} : { localAddress: request.localAddress }),
        },
        resolve,
      );
      sent.on('error', reject);
      sent.end(request.body);
    });
  }

  async ask(path: string, request: ClientRequest = {}): Promise<ClientAnswer> {
    const response = await this.open(path, request);
    let body = '';
    for await (const chunk of response) body += String(chunk);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  }
}

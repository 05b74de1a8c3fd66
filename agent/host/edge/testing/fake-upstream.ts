import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: http.IncomingHttpHeaders;
}

export type Answer = (request: SeenRequest, response: http.ServerResponse) => void;

/** What health checks ask for, the edge's own and those of the other servers of its site. */
const CHECKS = /^\/(edge\/.*|health|readyz|server\/(leading|inference|vectors))$/;

/** A server behind the edge that remembers what reached it. */
export class FakeUpstream {
  readonly seen: SeenRequest[] = [];
  answer: Answer;
  private readonly server: http.Server;

  private constructor(
    readonly name: string,
    answer: Answer | undefined,
    private readonly answersChecks: boolean,
  ) {
    this.answer = answer ?? ((_request, response) => response.end(`${name}\n`));
    this.server = http.createServer((request, response) => {
      request.resume();
      const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers };
      // Health checks are not what tests ask about.
      const isCheck = CHECKS.test(seen.url);
      if (isCheck && !this.answersChecks) {
        response.end();
        return;
      }
      if (!isCheck) this.seen.push(seen);
      this.answer(seen, response);
    });
  }

  static async start(name: string, answersChecks = false): Promise<FakeUpstream> {
    const upstream = new FakeUpstream(name, undefined, answersChecks);
    await upstream.listen(0);
    return upstream;
  }

  get port(): number {
    return this.lastPort;
  }
  private lastPort = 0;

  private async listen(port: number): Promise<void> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.lastPort = (this.server.address() as AddressInfo).port;
  }

  /** Refuses connections from now on, as a dead process does. */
  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  async revive(): Promise<void> {
    await this.listen(this.lastPort);
  }
}

/** The agent as HAProxy's checks see it. */
export class FakeAgent {
  inference = true;
  vectors = true;
  leads = true;

  private constructor(readonly upstream: FakeUpstream) {}

  static async start(): Promise<FakeAgent> {
    const agent = new FakeAgent(await FakeUpstream.start('agent', true));
    agent.upstream.answer = ({ url }, response) => {
      if (/^\/(edge|server)\/inference$/.test(url)) response.statusCode = agent.inference ? 200 : 503;
      if (/^\/(edge|server)\/vectors$/.test(url)) response.statusCode = agent.vectors ? 200 : 503;
      if (url === '/server/leading') response.statusCode = agent.leads ? 200 : 503;
      response.end('agent\n');
    };
    return agent;
  }

  serve(serving: boolean): void {
    this.inference = serving;
    this.vectors = serving;
  }
}

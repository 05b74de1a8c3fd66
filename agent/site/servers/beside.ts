/** The other servers of this site, each through its own edge: TLS by the site's name, at the server's address. */
import type {
  ServerPromiseResponse,
  StandingRequest,
  StandingResponse,
} from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import { PeerClient } from '../peer/client';

export class Beside {
  private readonly clients: ReadonlyMap<string, PeerClient>;

  constructor(
    spec: Pick<SiteAgentSpec, 'siteHost' | 'servers' | 'caCertificate'>,
    options: {
      readonly peerKey: string;
      readonly timeoutMs: number;
      readonly origin?: (address: string) => string;
    },
  ) {
    const { caCertificate } = spec;
    this.clients = new Map(
      (spec.servers?.others ?? []).map(({ name, address }) => [
        name,
        new PeerClient({
          host: spec.siteHost,
          addresses: [address],
          key: options.peerKey,
          timeoutMs: options.timeoutMs,
          ...(caCertificate === undefined ? {} : { caCertificate }),
          ...(options.origin === undefined ? {} : { origin: options.origin }),
        }),
      ]),
    );
  }

  get names(): readonly string[] {
    return [...this.clients.keys()];
  }

  standing(server: string, report: StandingRequest): Promise<StandingResponse> {
    return this.client(server).call('POST', '/server/standing', report);
  }

  async promise(server: string, from: string, term: number): Promise<boolean> {
    const body = { from, term };
    const answer = await this.client(server).call<ServerPromiseResponse>('POST', '/server/promise', body);
    return answer.granted;
  }

  async close(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()));
  }

  private client(server: string): PeerClient {
    const client = this.clients.get(server);
    if (client === undefined) throw new RangeError(`${server} is not one of ${this.names.join(', ')}`);
    return client;
  }
}

/** A site's Qdrant behind a relay that says it were of another version, as after an upgrade of one site only. */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class QdrantOfAnotherVersion {
  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async start(upstreamPort: number, version: string): Promise<QdrantOfAnotherVersion> {
    const server = createServer((incoming, outgoing) => {
      if (incoming.url === '/') {
        incoming.resume();
        outgoing.setHeader('content-type', 'application/json');
        outgoing.end(JSON.stringify({ title: 'qdrant', version }));
        return;
      }
      const { method, url, headers } = incoming;
      const forwarded = request(
        { port: upstreamPort, host: '127.0.0.1', method, path: url, headers },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      forwarded.on('error', () => outgoing.destroy());
      incoming.pipe(forwarded);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new QdrantOfAnotherVersion(server, (server.address() as AddressInfo).port);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** A nameserver in this process: answers what the test says, over UDP and, for cut answers, over TCP. */
import dgram from 'node:dgram';
import net from 'node:net';
import * as packet from 'dns-packet';

export class FakeDns {
  addresses: string[] = [];
  ttlSeconds = 1;
  /** Answer UDP with the truncated flag and nothing else. */
  truncate = false;
  /** Swallow every question. */
  silent = false;
  rcode = 0;
  readonly asked: string[] = [];
  private readonly udp = dgram.createSocket('udp4');
  private tcp: net.Server | null = null;

  /** Answers the port. */
  async start(): Promise<number> {
    this.udp.on('message', (message, from) => {
      this.asked.push('udp');
      if (this.silent) return;
      this.udp.send(
        packet.encode(this.answer(packet.decode(message), this.truncate)),
        from.port,
        from.address,
      );
    });
    await new Promise<void>((resolve) => this.udp.bind(0, '127.0.0.1', resolve));
    const { port } = this.udp.address();
    this.tcp = net.createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.once('data', (data) => {
        this.asked.push('tcp');
        socket.end(packet.streamEncode(this.answer(packet.streamDecode(data), false)));
      });
    });
    await new Promise<void>((resolve) => this.tcp?.listen(port, '127.0.0.1', resolve));
    return port;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.udp.close(() => resolve()));
    await new Promise<void>((resolve) => (this.tcp === null ? resolve() : this.tcp.close(() => resolve())));
  }

  private answer(query: packet.Packet, cut: boolean): packet.Packet {
    const question = query.questions?.[0];
    return {
      type: 'response',
      ...(query.id === undefined ? {} : { id: query.id }),
      flags: (cut ? packet.TRUNCATED_RESPONSE : 0) | this.rcode,
      questions: query.questions ?? [],
      answers:
        cut || question === undefined
          ? []
          : this.addresses.map((data) => ({
              type: 'A' as const,
              name: question.name,
              ttl: this.ttlSeconds,
              data,
            })),
    };
  }
}

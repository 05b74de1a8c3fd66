/** A nameserver in this process: answers what the test says, over UDP and, for cut answers, over TCP. */
import dgram from 'node:dgram';
import { once } from 'node:events';
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
  private readonly tcp = net.createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (data) => {
      this.asked.push('tcp');
      socket.end(packet.streamEncode(this.answer(packet.streamDecode(data), false)));
    });
  });

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
    for (;;) {
      await once(this.tcp.listen(0, '127.0.0.1'), 'listening');
      const { port } = this.tcp.address() as net.AddressInfo;
      const bound = once(this.udp, 'listening');
      this.udp.bind(port, '127.0.0.1');
      try {
        await bound;
        return port;
      } catch (error) {
        // A port that is free for TCP may be taken for UDP.
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        await new Promise((resolve) => this.tcp.close(resolve));
      }
    }
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.udp.close(() => resolve()));
    await new Promise<void>((resolve) => this.tcp.close(() => resolve()));
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

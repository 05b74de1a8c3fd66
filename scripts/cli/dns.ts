/** Asks a nameserver for addresses: UDP first, TCP when the answer was cut. No cache and no system resolver. */
import dgram from 'node:dgram';
import net, { isIPv6 } from 'node:net';
import { randomInt } from 'node:crypto';
import * as packet from 'dns-packet';

export interface Nameserver {
  readonly address: string;
  readonly port: number;
}

export interface DnsAnswer {
  readonly addresses: readonly string[];
  readonly ttlSeconds: number;
}

/** The nameserver gave no usable answer. */
export class DnsFailedError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'DnsFailedError';
  }
}

export async function queryAddresses(
  server: Nameserver,
  name: string,
  timeoutMs: number,
): Promise<DnsAnswer> {
  const id = randomInt(0, 65536);
  const query = packet.encode({
    type: 'query',
    id,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: 'A', name }],
  });
  const started = Date.now();
  const first = await askUdp(server, query, id, timeoutMs);
  const answer = first.flag_tc
    ? await askTcp(server, name, id, Math.max(1, timeoutMs - (Date.now() - started)))
    : first;
  const code = (answer as { rcode?: string }).rcode;
  if (code !== undefined && code !== 'NOERROR') {
    throw new DnsFailedError(code, `${server.address} answered ${code} for ${name}`);
  }
  const records = (answer.answers ?? []).filter(
    (record): record is packet.StringAnswer => record.type === 'A',
  );
  if (records.length === 0) throw new DnsFailedError('EMPTY', `${server.address} has no address for ${name}`);
  return {
    addresses: records.map((record) => record.data),
    ttlSeconds: Math.min(...records.map((record) => record.ttl ?? 0)),
  };
}

/** Asks each nameserver in turn until one answers. */
export async function resolveAddresses(
  servers: readonly Nameserver[],
  name: string,
  timeoutMs: number,
): Promise<DnsAnswer> {
  let last: unknown = new DnsFailedError('NO_SERVER', 'no nameserver is known');
  for (const server of servers) {
    try {
      return await queryAddresses(server, name, timeoutMs);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

function askUdp(
  server: Nameserver,
  query: Buffer,
  id: number,
  timeoutMs: number,
): Promise<packet.DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    const done = (settle: () => void): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined); // a late ICMP error on a socket that is being closed
      socket.close();
      settle();
    };
    const fail = (code: string, message: string): void =>
      done(() => reject(new DnsFailedError(code, `${server.address}:${server.port} ${message}`)));
    const timer = setTimeout(() => fail('TIMEOUT', `gave no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'ERROR', error.message));
    socket.on('message', (message) => {
      const decoded = decode(message);
      if (decoded?.id === id) done(() => resolve(decoded)); // anything else is somebody else's, or late
    });
    socket.connect(server.port, server.address, () => socket.send(query));
  });
}

function decode(message: Buffer): packet.DecodedPacket | null {
  try {
    return packet.decode(message);
  } catch {
    return null; // not DNS: the caller goes on waiting for an answer
  }
}

function askTcp(
  server: Nameserver,
  name: string,
  id: number,
  timeoutMs: number,
): Promise<packet.DecodedPacket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, server.address);
    const fail = (code: string, message: string): void => {
      socket.destroy();
      reject(new DnsFailedError(code, `${server.address}:${server.port} (TCP) ${message}`));
    };
    let received = Buffer.alloc(0);
    socket.setTimeout(timeoutMs, () => fail('TIMEOUT', `gave no answer within ${timeoutMs} ms`));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? 'ERROR', error.message));
    socket.on('close', () => fail('CLOSED', 'closed the connection without an answer'));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      socket.removeAllListeners('close');
      socket.end();
      resolve(packet.streamDecode(received) as packet.DecodedPacket); // its types call a decoded packet a Packet
    });
    socket.write(
      packet.streamEncode({
        type: 'query',
        id,
        flags: packet.RECURSION_DESIRED,
        questions: [{ type: 'A', name }],
      }),
    );
  });
}

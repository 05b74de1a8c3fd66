/** Opens SSH connections the way the vendor's plugin does: pinned host key, bounded retries, optional jump host. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import { Client, utils, type ConnectConfig } from 'ssh2';
import type { Operation } from '../protocol/provider';
import type { Connection, ConnectionEnd } from './inputs';

/** A connection could not be made within the allowed attempts. */
export class DialFailedError extends Error {
  readonly code = 'DIAL_FAILED';
  constructor(message: string) {
    super(message);
    this.name = 'DialFailedError';
  }
}

/** Connects, and answers the client with what closes it and its jump host. */
export async function dial(
  connection: Connection,
  operation: Operation,
): Promise<{ readonly client: Client; close(): void }> {
  const config = sshConfig(connection);
  const { proxy } = connection;
  if (proxy === undefined) {
    const client = await retrying('Dial', connection, operation, () => connect(connection, config));
    return { client, close: () => client.end() };
  }
  const jumpConfig = inProxy(() => sshConfig(proxy));
  const jump = await asProxy(retrying('Dial proxy', proxy, operation, () => connect(proxy, jumpConfig)));
  const close = (client?: Client): void => {
    client?.end();
    jump.end();
  };
  try {
    const sock = await asProxy(
      retrying('Dial from proxy', connection, operation, () => forward(jump, connection)),
    );
    const client = await asProxy(
      retrying('Dial', connection, operation, () => connect(connection, { ...config, sock })),
    );
    return { client, close: () => close(client) };
  } catch (error) {
    close();
    throw error;
  }
}

function inProxy<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new DialFailedError(`proxy: ${messageOf(error)}`);
  }
}

async function asProxy<T>(attempt: Promise<T>): Promise<T> {
  return attempt.catch((error: unknown) => {
    throw new DialFailedError(`proxy: ${messageOf(error)}`);
  });
}

/** What can be wrong with a connection's own values is an error at once, without any attempt. */
function sshConfig(end: ConnectionEnd): ConnectConfig {
  const agent = end.agentSocketPath ?? process.env['SSH_AUTH_SOCK'];
  const config: ConnectConfig = {
    username: end.user,
    readyTimeout: end.perDialTimeout * 1000,
    hostVerifier: () => true,
    ...(agent === undefined || agent === '' ? {} : { agent }),
  };
  if (end.privateKey !== undefined) {
    const key = utils.parseKey(end.privateKey, end.privateKeyPassword);
    if (key instanceof Error)
      throw new DialFailedError(`ssh: the private key cannot be read: ${key.message}`);
    config.privateKey = end.privateKey;
    if (end.privateKeyPassword !== undefined) config.passphrase = end.privateKeyPassword;
  }
  if (end.password !== undefined) {
    config.password = end.password;
    config.tryKeyboard = true;
  }
  if (end.hostKey !== undefined) {
    const [type, blob] = end.hostKey.trim().split(/\s+/);
    const key = type === undefined || blob === undefined ? new Error('') : utils.parseKey(end.hostKey.trim());
    if (key instanceof Error) throw new DialFailedError('failed to parse host key: ssh: no key found');
    const expected = Buffer.from(blob as string, 'base64');
    config.hostVerifier = (actual: Buffer) => actual.equals(expected);
    config.algorithms = { serverHostKey: [type as 'ssh-ed25519'] };
  }
  return config;
}

async function connect(end: ConnectionEnd, config: ConnectConfig): Promise<Client> {
  const client = new Client();
  return new Promise((resolve, reject) => {
    client.once('ready', () => {
      // From here on the sessions see what goes wrong; without a listener an error would end the plugin.
      client.on('error', () => undefined);
      resolve(client);
    });
    client.once('error', (error) => {
      client.end();
      reject(new DialFailedError(dialMessage(error, end)));
    });
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
      finish(prompts.map(() => end.password ?? '')),
    );
    try {
      client.connect({ ...config, ...(config.sock === undefined ? { host: end.host, port: end.port } : {}) });
    } catch (error) {
      reject(new DialFailedError(`ssh: ${messageOf(error)}`));
    }
  });
}

async function forward(jump: Client, target: ConnectionEnd): Promise<Duplex> {
  return new Promise((resolve, reject) =>
    jump.forwardOut('127.0.0.1', 0, target.host, target.port, (error, channel) =>
      error === undefined ? resolve(channel) : reject(new DialFailedError(`ssh: ${error.message}`)),
    ),
  );
}

/** Waits 0.1 s after the first failure and half as long again after each, 5 s at most. */
async function retrying<T>(
  what: string,
  { dialErrorLimit = 10 }: ConnectionEnd,
  operation: Operation,
  attempt: () => Promise<T>,
): Promise<T> {
  let wait = 100;
  for (let failures = 1; ; failures++) {
    operation.signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (dialErrorLimit > -1 && failures > dialErrorLimit) {
        throw new DialFailedError(`after ${failures - 1} failed attempts: ${messageOf(error)}`);
      }
      operation.log.status(
        `${what} ${failures}/${dialErrorLimit === -1 ? 'inf' : dialErrorLimit} failed: retrying`,
      );
    }
    await delay(wait, undefined, { signal: operation.signal });
    wait = Math.min(wait * 1.5, 5_000);
  }
}

function dialMessage(error: Error & { level?: string; code?: string }, end: ConnectionEnd): string {
  const tcp = `dial tcp ${end.host}:${end.port}`;
  if (error.code === 'ECONNREFUSED') return `${tcp}: connect: connection refused`;
  if (error.code === 'EHOSTUNREACH') return `${tcp}: connect: no route to host`;
  if (error.code === 'ENOTFOUND') return `dial tcp: lookup ${end.host}: no such host`;
  if (error.code === 'ETIMEDOUT' || error.level === 'client-timeout') return `${tcp}: i/o timeout`;
  if (error.message.includes('Host denied')) return 'ssh: handshake failed: ssh: host key mismatch';
  if (error.level === 'client-authentication') {
    return 'ssh: handshake failed: ssh: unable to authenticate, no supported methods remain';
  }
  return `ssh: handshake failed: ${error.message}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * One command in one SSH session.
 *
 * The session is opened by hand because the order matters: each environment variable must be accepted by the server
 * before the command is sent, else a server that refuses one (as a stock sshd does) would run it without. The
 * library's own `exec` sends variables without waiting, so this uses the channel beneath it; its version is pinned.
 */
import type { Client, ClientChannel } from 'ssh2';

/** The server does not accept an environment variable (its AcceptEnv does not list it). */
export class EnvironmentRefusedError extends Error {
  readonly code = 'ENVIRONMENT_REFUSED';
  constructor(readonly variable: string) {
    super(`could not set environment variable "${variable}": ssh: setenv failed`);
    this.name = 'EnvironmentRefusedError';
  }
}

export interface SessionEnd {
  readonly status: number | null;
  readonly signal: string | null;
}

/** The parts of the library's channel and client that it does not publish. */
interface RawChannel extends Omit<ClientChannel, 'subtype'> {
  readonly outgoing: { readonly id: number };
  readonly _callbacks: ((failed: boolean | Error) => void)[];
  subtype: string;
}
interface RawClient {
  readonly _chanMgr: { add(opened: (error: Error | undefined, channel: RawChannel) => void): number };
  readonly _protocol: {
    session(id: number, window: number, packet: number): void;
    env(id: number, name: string, value: string, wantReply: boolean): void;
    exec(id: number, command: string, wantReply: boolean): void;
  };
}

const WINDOW_BYTES = 2 * 1024 * 1024;
const PACKET_BYTES = 32 * 1024;

export class Session {
  /** Never fulfilled; rejected when the connection goes away, so that no request waits for an answer for ever. */
  private readonly lost: Promise<never>;

  private constructor(
    client: Client,
    private readonly raw: RawClient,
    private readonly channel: RawChannel,
  ) {
    this.lost = new Promise((_, reject) =>
      client.once('close', () => reject(new Error('ssh: the connection was closed'))),
    );
    this.lost.catch(() => undefined); // told by whatever waits on it, and by nobody when all is done
  }

  static async open(client: Client): Promise<Session> {
    const raw = client as unknown as RawClient;
    const channel = await new Promise<RawChannel>((resolve, reject) => {
      const opened = Object.assign(
        (error: Error | undefined, made: RawChannel) => (error === undefined ? resolve(made) : reject(error)),
        { type: 'session' },
      );
      client.once('close', () => reject(new Error('ssh: the connection was closed')));
      const id = raw._chanMgr.add(opened);
      if (id === -1) return reject(new Error('ssh: no free channel'));
      raw._protocol.session(id, WINDOW_BYTES, PACKET_BYTES);
    });
    return new Session(client, raw, channel);
  }

  /** Sets one variable; throws {@link EnvironmentRefusedError} when the server says no. */
  async setEnvironment(name: string, value: string): Promise<void> {
    const accepted = await this.request(() =>
      this.raw._protocol.env(this.channel.outgoing.id, name, value, true),
    );
    if (!accepted) throw new EnvironmentRefusedError(name);
  }

  /** Runs a command to its end. An abort asks the server to kill it, then leaves. */
  async run(
    command: string,
    stdin: string,
    on: { stdout(chunk: Buffer): void; stderr(chunk: Buffer): void },
    signal: AbortSignal,
  ): Promise<SessionEnd> {
    const { channel } = this;
    channel.subtype = 'exec';
    const ended = new Promise<SessionEnd>((resolve, reject) => {
      let end: SessionEnd = { status: null, signal: null };
      channel.on('data', (chunk: Buffer) => on.stdout(chunk));
      channel.stderr.on('data', (chunk: Buffer) => on.stderr(chunk));
      channel.on('exit', (status: number | null, name?: string) => (end = { status, signal: name ?? null }));
      channel.on('close', () => resolve(end));
      channel.on('error', reject);
      const abort = (): void => {
        channel.signal('KILL');
        channel.close();
        reject(signal.reason instanceof Error ? signal.reason : new Error('cancelled'));
      };
      signal.addEventListener('abort', abort, { once: true });
      channel.once('close', () => signal.removeEventListener('abort', abort));
    });
    signal.throwIfAborted();
    const accepted = this.request(() => this.raw._protocol.exec(channel.outgoing.id, command, true));
    if (!(await Promise.race([accepted, ended.then(() => true)]))) {
      ended.catch(() => undefined); // the refusal is what is told
      throw new Error(`ssh: command ${command} failed`);
    }
    channel.end(stdin);
    return ended;
  }

  private async request(send: () => void): Promise<boolean> {
    const answer = new Promise<boolean>((resolve) => {
      this.channel._callbacks.push((failed) => resolve(failed === false));
      send();
    });
    return Promise.race([answer, this.lost]);
  }
}

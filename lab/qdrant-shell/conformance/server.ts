/** Starts the server under test: `QDRANT_BIN` where it is set, else the lab's stand-in, on loopback in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { QdrantClient } from '@qdrant/js-client-rest';
import { ensureQdrantShell } from '../ensure';
import { Http } from './http';

const START_MS = 30_000;
const STOP_MS = 20_000;

export class ServerNotStartedError extends Error {
  readonly code = 'SERVER_NOT_STARTED';
  constructor(output: string) {
    super(`the server under test did not answer within ${START_MS} ms; it said:\n${output}`);
    this.name = 'ServerNotStartedError';
  }
}

export interface ServerOptions {
  readonly apiKey?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** More lines of YAML at the file's end, sections of their own. */
  readonly configuration?: readonly string[];
  readonly arguments?: readonly string[];
  /** More lines of the section `service`. */
  readonly service?: readonly string[];
}

export async function executable(): Promise<string> {
  return process.env['QDRANT_BIN'] ?? path.join((await ensureQdrantShell()).folder, 'qdrant');
}

export class Server {
  private child: ChildProcess | undefined;
  private output = '';

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly binary: string,
    private readonly options: ServerOptions,
  ) {}

  static async start(options: ServerOptions = {}): Promise<Server> {
    const folder = await mkdtemp(path.join(tmpdir(), 'qdrant-conformance-'));
    const server = new Server(folder, await freePort(), await executable(), options);
    await mkdir(server.snapshots, { recursive: true });
    const { apiKey } = options;
    await writeFile(
      path.join(folder, 'config.yaml'),
      [
        'log_level: INFO',
        'telemetry_disabled: true',
        'storage:',
        `  storage_path: ${path.join(folder, 'storage')}`,
        `  snapshots_path: ${server.snapshots}`,
        'service:',
        '  host: 127.0.0.1',
        `  http_port: ${server.port}`,
        '  grpc_port: null',
        ...(apiKey === undefined ? [] : [`  api_key: ${apiKey}`]),
        ...(options.service ?? []).map((line) => `  ${line}`),
        ...(options.configuration ?? []),
        '',
      ].join('\n'),
    );
    try {
      await server.launch();
    } catch (error) {
      await server.dispose();
      throw error;
    }
    return server;
  }

  get snapshots(): string {
    return path.join(this.folder, 'snapshots');
  }

  collectionFolder(collection: string): string {
    return path.join(this.folder, 'storage', 'collections', collection);
  }

  get http(): Http {
    return new Http(`http://127.0.0.1:${this.port}`, this.options.apiKey);
  }

  client(): QdrantClient {
    const { apiKey } = this.options;
    return new QdrantClient({
      host: '127.0.0.1',
      port: this.port,
      checkCompatibility: false,
      ...(apiKey === undefined ? {} : { apiKey }),
    });
  }

  /** Also after {@link kill} or {@link stop}, on the same folder and port. */
  async launch(): Promise<void> {
    this.output = '';
    const configuration = path.join(this.folder, 'config.yaml');
    const child = spawn(this.binary, ['--config-path', configuration, ...(this.options.arguments ?? [])], {
      cwd: this.folder,
      env: { ...process.env, ...this.options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, whose end shows that its shards' processes are gone too
    });
    this.child = child;
    child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    const deadline = Date.now() + START_MS;
    while (!(await this.answers())) {
      if (child.exitCode !== null || Date.now() > deadline) throw new ServerNotStartedError(this.output);
      await delay(20);
    }
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** The whole group, as by the host's scheduler: connections stay open, and nothing answers. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const { pid } = this.child ?? {};
    if (pid !== undefined) process.kill(-pid, signal);
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  async dispose(): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(STOP_MS) });
    child.kill(signal);
    await ended;
    const deadline = Date.now() + STOP_MS;
    while (hasGroup(child.pid)) {
      if (Date.now() > deadline) throw new Error(`processes of group ${child.pid} outlive their server`);
      await delay(10);
    }
  }

  private async answers(): Promise<boolean> {
    return fetch(`http://127.0.0.1:${this.port}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
  }
}

function hasGroup(leader: number | undefined): boolean {
  if (leader === undefined) return false;
  try {
    return process.kill(-leader, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('no port to be had');
  return address.port;
}

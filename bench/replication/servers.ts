/** The servers that are replicated between, and the store in the middle, each in its place's network. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { ensureQdrantShell } from '../../lab/qdrant-shell/ensure';
import type { ServerPlace } from '../../lab/names';
import { ensureVersitygw } from '../../tools/artifacts/versitygw';
import { run } from '../../tools/run';
import { COLLECTION } from './data';
import type { BenchNetwork } from './network';
import { API_KEY, STORE } from './settings';

const START_MS = 60_000;

/** The stand-in's engine never optimizes by itself; a real server, which QDRANT_BIN names, has no need of it. */
export async function optimizeStandIn(folder: string): Promise<void> {
  if (realQdrant() !== undefined) return;
  const engine = path.join((await ensureQdrantShell()).folder, 'site-packages');
  const shard = path.join(folder, 'storage', 'collections', COLLECTION, '0');
  await run('python3', [path.join(__dirname, 'optimize.py'), shard], {
    env: { ...process.env, PYTHONPATH: engine },
  });
}

function realQdrant(): string | undefined {
  const named = process.env['QDRANT_BIN'];
  return named === undefined || named === '' ? undefined : named;
}

/** A program in a place, which ends with its whole group. */
export class Server {
  private constructor(
    readonly place: ServerPlace,
    readonly port: number,
    readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static async qdrant(
    network: BenchNetwork,
    place: ServerPlace,
    port: number,
    folder: string,
  ): Promise<Server> {
    const program = realQdrant() ?? path.join((await ensureQdrantShell()).folder, 'qdrant');
    await mkdir(path.join(folder, 'snapshots'), { recursive: true });
    const config = path.join(folder, 'config.yaml');
    await writeFile(
      config,
      stringify({
        log_level: 'WARN',
        telemetry_disabled: true,
        storage: {
          storage_path: path.join(folder, 'storage'),
          snapshots_path: path.join(folder, 'snapshots'),
        },
        service: {
          host: '0.0.0.0',
          http_port: port,
          grpc_port: null,
          api_key: API_KEY,
          max_request_size_mb: 64,
        },
      }),
    );
    const child = launch(network, place, [program, '--config-path', config], folder, {});
    const server = new Server(place, port, folder, child);
    await server.untilListening(network);
    return server;
  }

  static async store(network: BenchNetwork, folder: string): Promise<Server> {
    await mkdir(path.join(folder, 'data'), { recursive: true });
    const words = [await ensureVersitygw(), '--port', `:${STORE.port}`, 'posix', path.join(folder, 'data')];
    const keys = { ROOT_ACCESS_KEY: STORE.accessKey, ROOT_SECRET_KEY: STORE.secretKey };
    const server = new Server('witness', STORE.port, folder, launch(network, 'witness', words, folder, keys));
    await server.untilListening(network);
    return server;
  }

  /** Buckets are folders for the store. */
  async makeBucket(name: string): Promise<void> {
    await mkdir(path.join(this.folder, 'data', name));
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    process.kill(-child.pid, 'SIGKILL');
    await gone;
  }

  /** Asked from its own place, so that no counted cable is touched. */
  private async untilListening(network: BenchNetwork): Promise<void> {
    const end = Date.now() + START_MS;
    const url = `http://127.0.0.1:${this.port}/`;
    for (;;) {
      const asked = spawn('ip', [...network.inside(this.place), 'curl', '--silent', '--max-time', '2', url], {
        stdio: 'ignore',
      });
      const [status] = (await once(asked, 'exit')) as [number | null];
      if (status === 0) return;
      if (this.child.exitCode !== null || Date.now() > end)
        throw new Error(
          `nothing listens on port ${this.port} of ${this.place}; its folder is ${this.folder}`,
        );
      await delay(100);
    }
  }
}

function launch(
  network: BenchNetwork,
  place: ServerPlace,
  words: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  return spawn('ip', [...network.inside(place), ...words], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: 'ignore',
    detached: true,
  });
}

/** A Qdrant process on a loopback port, where its executable is at hand. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { QdrantClient } from '../qdrant/client';
import { freePort } from './free-port';
import { killGroup } from './process-group';

/** QDRANT_BIN, or the newest that the toolchain holds; undefined when there is neither. */
export function findQdrant(): string | undefined {
  const named = process.env['QDRANT_BIN'];
  if (named !== undefined && named !== '') return named;
  const toolchain = join(process.env['FAILOVER_CACHE'] ?? resolve(__dirname, '../../../.cache'), 'toolchain');
  if (!existsSync(toolchain)) return undefined;
  return readdirSync(toolchain)
    .filter((name) => name.startsWith('qdrant-'))
    .map((name) => join(toolchain, name, 'qdrant'))
    .filter((file) => existsSync(file))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

export class RealQdrant {
  readonly client: QdrantClient;
  private child: ChildProcess | null = null;

  private constructor(
    private readonly executable: string,
    readonly port: number,
    readonly apiKey: string,
    readonly folder: string,
  ) {
    this.client = new QdrantClient({ port, apiKey });
  }

  /** @param folder for everything that it keeps, removed with it; absent: one of its own */
  static async start(executable: string, apiKey: string, folder?: string): Promise<RealQdrant> {
    const own = folder ?? mkdtempSync(join(tmpdir(), 'site-qdrant-'));
    const qdrant = new RealQdrant(executable, await freePort(), apiKey, own);
    mkdirSync(qdrant.snapshots, { recursive: true });
    writeFileSync(
      join(qdrant.folder, 'config.yaml'),
      `log_level: WARN\ntelemetry_disabled: true\nstorage:\n  storage_path: ${join(qdrant.folder, 'storage')}\n` +
        `  snapshots_path: ${qdrant.snapshots}\nservice:\n  host: 127.0.0.1\n  http_port: ${qdrant.port}\n` +
        `  grpc_port: null\n  api_key: ${apiKey}\n`,
    );
    await qdrant.launch();
    return qdrant;
  }

  get snapshots(): string {
    return join(this.folder, 'snapshots');
  }

  async launch(): Promise<void> {
    const child = spawn(this.executable, ['--config-path', join(this.folder, 'config.yaml')], {
      cwd: this.folder,
      stdio: 'ignore',
      detached: true, // a group of its own, for kill()
    });
    this.child = child;
    const endsAt = Date.now() + 60_000;
    for (;;) {
      try {
        await this.client.version();
        return;
      } catch (error) {
        if (child.exitCode !== null || Date.now() > endsAt) throw error;
        await new Promise((wait) => setTimeout(wait, 50));
      }
    }
  }

  /** Ends the whole group and awaits its end, as systemd does with a cgroup: a server may keep its shards in processes. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child?.pid === undefined) return;
    await killGroup(child.pid);
  }

  async dispose(): Promise<void> {
    await this.kill();
    await this.client.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

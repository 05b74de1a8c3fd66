/** Nodes of one Qdrant cluster on loopback, each a process of its own, where an executable is at hand. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QdrantClient } from '../qdrant/client';
import { freePort } from './free-port';
import { killGroup } from './process-group';

interface Node {
  readonly folder: string;
  readonly client: QdrantClient;
  readonly port: number;
  child: ChildProcess | null;
}

export class RealCluster {
  private readonly nodes: Node[] = [];

  private constructor(private readonly executable: string) {}

  static async start(executable: string, apiKey: string, count: number): Promise<RealCluster> {
    const cluster = new RealCluster(executable);
    let first: string | null = null;
    for (let index = 0; index < count; index += 1) {
      const uri = await cluster.add(apiKey, first);
      first ??= uri;
    }
    return cluster;
  }

  client(index: number): QdrantClient {
    return this.node(index).client;
  }

  port(index: number): number {
    return this.node(index).port;
  }

  snapshots(index: number): string {
    return join(this.node(index).folder, 'snapshots');
  }

  async kill(index: number): Promise<void> {
    const node = this.node(index);
    const { child } = node;
    node.child = null;
    if (child?.pid !== undefined) await killGroup(child.pid);
  }

  async dispose(): Promise<void> {
    for (const index of this.nodes.keys()) await this.kill(index);
    for (const { client, folder } of this.nodes) {
      await client.close();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  private node(index: number): Node {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`there is no node ${index}`);
    return node;
  }

  private async add(apiKey: string, bootstrap: string | null): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'cluster-qdrant-'));
    const [http, between] = [await freePort(), await freePort()];
    mkdirSync(join(folder, 'snapshots'));
    writeFileSync(
      join(folder, 'config.yaml'),
      `log_level: WARN\ntelemetry_disabled: true\nstorage:\n  storage_path: ${folder}/storage\n` +
        `  snapshots_path: ${folder}/snapshots\nservice:\n  host: 127.0.0.1\n  http_port: ${http}\n` +
        `  grpc_port: null\n  api_key: ${apiKey}\n  enforce_internal_auth: true\n` +
        `cluster:\n  enabled: true\n  p2p:\n    port: ${between}\n`,
    );
    const uri = `http://127.0.0.1:${between}`;
    const joins = bootstrap === null ? [] : ['--bootstrap', bootstrap];
    const words = ['--config-path', join(folder, 'config.yaml'), '--uri', uri, ...joins];
    const child = spawn(this.executable, words, { cwd: folder, stdio: 'ignore', detached: true });
    const client = new QdrantClient({ port: http, apiKey });
    this.nodes.push({ folder, client, port: http, child });
    const endsAt = Date.now() + 60_000;
    for (;;) {
      try {
        await client.version();
        return uri;
      } catch (error) {
        if (child.exitCode !== null || Date.now() > endsAt) throw error;
        await new Promise((wait) => setTimeout(wait, 50));
      }
    }
  }
}

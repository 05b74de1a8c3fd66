/** One site of the data drill: its Qdrant, its agent's process, and what can be asked of both. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SCRATCH_COLLECTION, type StatusResponse } from '../../../../infra/contract/agent-api';
import { CREDENTIALS } from '../../../lease/testing/versitygw';
import { isNoSuchFile } from '../../errors';
import type { LedgerState } from '../../state/ledger';
import { freePort } from '../free-port';
import { RealQdrant } from '../real-qdrant';
import { KEYS } from '../two-sites';
import { AgentProcess } from './agent-process';
import { ask, type Answer } from './ask';
import { drillSpec, type SiteName } from './drill-spec';
import type { StoreAddress } from './site-process';
import type { Observed } from './write-record';

/** Programs that the drill runs. */
export interface Programs {
  readonly qdrant: string;
  readonly versitygw: string;
  readonly restic: string;
  /** The site agent's process, bundled. */
  readonly agent: string;
}

export interface DrillSiteOptions {
  readonly name: SiteName;
  /** Everything of the site's is in it, as on the one disk of a server. */
  readonly folder: string;
  readonly programs: Programs;
  readonly enginePort: number;
  readonly stores: { readonly lease: StoreAddress; readonly snapshots: StoreAddress };
  readonly ports: Readonly<Record<SiteName, number>>;
}

const LOG = 'agent.log';
const PARTS = 'failover-parts';
const BY = { by: 'data drill', reason: 'drill' };
/** A collection of the drill is never this big. */
const ALL_POINTS = 1_000_000;
const WRITE_MS = 5_000;

export class DrillSite {
  readonly name: SiteName;
  readonly folder: string;
  private server: RealQdrant | null = null;
  private process: AgentProcess | null = null;
  private gatewayPort = 0;

  constructor(private readonly options: DrillSiteOptions) {
    this.name = options.name;
    this.folder = options.folder;
  }

  async start(): Promise<void> {
    const { name, folder, programs, stores, ports, enginePort } = this.options;
    const [qdrantFolder, state] = [join(folder, 'qdrant'), join(folder, 'agent')];
    for (const made of [qdrantFolder, state]) mkdirSync(made, { recursive: true });
    const keyFile = join(folder, 'repository-key');
    writeFileSync(keyFile, 'the key of the drill', { mode: 0o600 });
    const server = await RealQdrant.start(programs.qdrant, KEYS.qdrant, qdrantFolder);
    this.server = server;
    this.gatewayPort = await freePort();
    this.process = new AgentProcess(programs.agent, folder, {
      spec: drillSpec(name, enginePort, server.port, await server.client.version()),
      keys: KEYS,
      account: CREDENTIALS,
      ports: { agent: ports[name], gateway: this.gatewayPort },
      peerPort: ports[name === 'uk' ? 'eu' : 'uk'],
      folders: {
        state,
        staging: join(server.snapshots, 'failover-staging'),
        requests: join(folder, 'requests'),
        parts: join(server.snapshots, PARTS),
      },
      restic: { program: programs.restic, keyFile, cacheFolder: join(state, 'restic-cache') },
      stores,
      logFile: join(folder, LOG),
      hitFile: join(folder, 'hit'),
    });
    await this.agent.up();
  }

  async dispose(): Promise<void> {
    await this.process?.down();
    await this.server?.dispose();
  }

  get qdrant(): RealQdrant {
    if (this.server === null) throw new Error(`${this.name} has not been started`);
    return this.server;
  }

  get agent(): AgentProcess {
    if (this.process === null) throw new Error(`${this.name} has not been started`);
    return this.process;
  }

  publish(): Promise<Answer> {
    return this.post('/failover/publish');
  }

  apply(): Promise<Answer> {
    return this.post('/failover/apply');
  }

  testRestore(): Promise<Answer> {
    return this.post('/failover/restore-test');
  }

  reprotect(): Promise<Answer> {
    return this.post('/failover/reprotect', BY);
  }

  promote(): Promise<Answer> {
    return this.post('/failover/promote', BY);
  }

  switchOver(): Promise<Answer> {
    return this.post('/failover/switch', BY);
  }

  /** Null while nobody answers. */
  async status(): Promise<StatusResponse | null> {
    const answer = await ask({
      port: this.options.ports[this.name],
      key: KEYS.operator,
      method: 'GET',
      path: '/status',
    });
    return answer.code === 'ok' ? (answer.body as unknown as StatusResponse) : null;
  }

  /** Through the write gateway; an acknowledgement is a 200. */
  async write(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    return ask({ port: this.gatewayPort, key: KEYS.qdrant, method, path, body, timeoutMs: WRITE_MS });
  }

  /** Every point of every collection of clients, from Qdrant itself. */
  async observe(): Promise<Observed> {
    const { client } = this.qdrant;
    const observed = new Map<string, Awaited<ReturnType<typeof client.scroll>>>();
    for (const name of await this.clientsCollections()) {
      const all = { limit: ALL_POINTS, with_payload: true, with_vector: true };
      const points = await client.scroll(name, all);
      const count = await client.count(name);
      if (count !== points.length) {
        throw new Error(`${this.name}/${name} counts ${count} points and shows ${points.length}`);
      }
      observed.set(name, points);
    }
    return observed;
  }

  /** What no snapshot carries by itself: aliases, payload indexes, and the shape of each collection. */
  async shape(): Promise<string> {
    const { client } = this.qdrant;
    const collections: Record<string, unknown> = {};
    for (const name of await this.clientsCollections()) {
      const { config, payload_schema: schema } = await client.collection(name);
      collections[name] = { params: config.params, indexes: Object.keys(schema).sort() };
    }
    const aliases = (await client.aliases()).map((alias) => `${alias.alias_name}:${alias.collection_name}`);
    return JSON.stringify({ collections, aliases: aliases.sort() });
  }

  /** Whether a test of a restore has left its collection in Qdrant. */
  async hasScratch(): Promise<boolean> {
    const { port, apiKey } = this.qdrant;
    const url = `http://127.0.0.1:${port}/collections/${SCRATCH_COLLECTION}`;
    return (await fetch(url, { headers: { 'api-key': apiKey } })).ok;
  }

  /** Snapshots that somebody left in Qdrant: each is the size of a shard. */
  async leftovers(): Promise<string[]> {
    const { client } = this.qdrant;
    const found: string[] = [];
    for (const name of await client.collectionNames()) {
      for (const { shard_id: shard } of (await client.shards(name)).local) {
        for (const snapshot of await client.listShardSnapshots(name, shard)) {
          found.push(`${this.name}/${name}/${shard}/${snapshot.name}`);
        }
      }
    }
    return found;
  }

  /** From the log, which outlives the agent's process. */
  lastEvents(count: number): string[] {
    const lines = readFileSync(join(this.folder, LOG), 'utf8').trim().split('\n').slice(-count);
    return lines.map((line) => {
      const { time, event, msg } = JSON.parse(line) as { time: number; event?: string; msg?: string };
      return `${new Date(time).toISOString()} ${this.name} ${event ?? ''}: ${msg ?? ''}`;
    });
  }

  /** Where an apply keeps what it has fetched from the store. */
  get fetchedParts(): string {
    return join(this.qdrant.snapshots, PARTS);
  }

  /** What the agent has on disk, whether or not it runs. */
  ledger(): LedgerState | null {
    try {
      return JSON.parse(readFileSync(join(this.folder, 'agent', 'ledger.json'), 'utf8')) as LedgerState;
    } catch (error) {
      if (isNoSuchFile(error)) return null;
      throw error;
    }
  }

  private async clientsCollections(): Promise<string[]> {
    return (await this.qdrant.client.collectionNames()).filter(isClients);
  }

  private async post(path: string, body?: unknown): Promise<Answer> {
    return ask({ port: this.options.ports[this.name], key: KEYS.operator, method: 'POST', path, body });
  }
}

/** An agent has collections of its own, such as its heartbeat's, which say nothing of what clients wrote. */
export function isClients(collection: string): boolean {
  return !collection.startsWith('failover-');
}

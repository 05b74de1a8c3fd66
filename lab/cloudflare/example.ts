/**
 * The witness's stack with Cloudflare for the lease's store and for DNS, filled in as an engineer would, in a folder of its
 * own, with an emulator in place of the account.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { REPOSITORY } from '../../tools/cache';
import { CloudflareApi, type CloudflareAccount } from '../../tools/cloudflare-api/server';
import { ensureEngine, type Engine } from '../../tools/engine';
import { emulatedCloudflareEnvironment } from '../../tools/plugins/cloudflare/install';
import { run } from '../../tools/run';
import { ZONE } from '../names';
import { CA_FILE, ensurePki } from '../pki';

export const ACCOUNT_ID = 'a'.repeat(32);
export const ZONE_ID = 'b'.repeat(32);
export const SERVICE_HOST = `api.${ZONE}`;
export const NAMESERVERS = ['ada.ns.cloudflare.com', 'bob.ns.cloudflare.com'];
export const ADDRESSES = { 'uk-primary': '192.0.2.10', 'eu-standby': '198.51.100.10' } as const;

/** A Business plan's add-on with three regions to check from. */
export const BOUGHT: CloudflareAccount['loadBalancing'] = {
  interval: [15, 3600],
  maxOrigins: 5,
  maxRegions: 3,
};

const STACK = 'witness';
const WORDS = ['--non-interactive', '--color', 'never', '--stack', STACK];

type Settings = Readonly<Record<string, unknown>>;

const SHARED: Settings = {
  stackKind: 'witness',
  zone: ZONE,
  sites: Object.entries(ADDRESSES).map(([site, address]) => ({
    site,
    host: `${site.slice(0, 2)}.${ZONE}`,
    addresses: [address],
  })),
  witnessPlatform: 'cloudflare',
  dnsProvider: 'cloudflare',
  cloudflareAccountId: ACCOUNT_ID,
  cloudflareZoneId: ZONE_ID,
  managementCidrs: ['198.51.100.0/24'],
  caCertificateFile: CA_FILE,
  inferenceImage: `docker.io/vllm/vllm-openai@sha256:${'0'.repeat(64)}`,
  modelName: 'example',
  modelSha256: '0'.repeat(64),
  modelGib: 16,
  qdrantArtifact: 'https://example.com/qdrant-x86_64-unknown-linux-musl.tar.gz',
  qdrantArtifactSha256: '0'.repeat(64),
  qdrantArtifactMember: 'qdrant',
  monthlyCostsUsd: { 'uk-primary': 735, 'eu-standby': 700, witness: 15 },
};

/** What is set beside that, by what the zone's plan has. */
export const PLANS = {
  balanced: {
    cloudflarePlan: 'business',
    dnsCheckIntervalSeconds: 35,
    switchingMode: 'automatic',
    alertEmails: ['on-call@example.com'],
  },
  records: { cloudflarePlan: 'none' },
} as const satisfies Readonly<Record<string, Settings>>;

/** Stack, state and emulator of one run; {@link CloudflareWorld.dispose} leaves nothing of it. */
export class CloudflareWorld {
  private constructor(
    private readonly folder: string,
    private readonly engine: Engine,
    private readonly env: NodeJS.ProcessEnv,
    readonly api: CloudflareApi,
    readonly tokens: { readonly deployment: string; readonly agent: string },
    private readonly plan: keyof typeof PLANS,
  ) {}

  static async start(
    plan: keyof typeof PLANS,
    loadBalancing: CloudflareAccount['loadBalancing'] = BOUGHT,
  ): Promise<CloudflareWorld> {
    await ensurePki();
    const engine = await ensureEngine();
    const tokens = {
      deployment: `deployment-${randomBytes(16).toString('hex')}`,
      agent: `agent-${randomBytes(16).toString('hex')}`,
    };
    const api = await CloudflareApi.start({
      accountId: ACCOUNT_ID,
      token: tokens.deployment,
      zones: [{ id: ZONE_ID, name: ZONE, nameServers: NAMESERVERS }],
      loadBalancing,
    });
    const folder = await mkdtemp(path.join(tmpdir(), 'failover-cloudflare-'));
    const state = path.join(folder, 'state');
    await mkdir(state);
    await copyFile(path.join(REPOSITORY, 'Pulumi.yaml'), path.join(folder, 'Pulumi.yaml'));
    await writeFile(path.join(folder, 'token'), `${tokens.agent}\n`, { mode: 0o600 });
    const env = await emulatedCloudflareEnvironment({
      ...engine.env,
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString('hex'),
      PULUMI_NODEJS_TRANSPILE_ONLY: 'true',
    });
    const world = new CloudflareWorld(folder, engine, env, api, tokens, plan);
    await run(engine.pulumi, ['stack', 'init', STACK, '--non-interactive', '-C', folder], { env });
    await world.configure();
    return world;
  }

  private get configFile(): string {
    return path.join(this.folder, `Pulumi.${STACK}.yaml`);
  }

  /** Writes the stack's file, with `changes` to what the example says. */
  async configure(changes: Settings = {}): Promise<void> {
    const token = this.plan === 'records' ? { cloudflareTokenFile: path.join(this.folder, 'token') } : {};
    const settings: Settings = { ...SHARED, ...PLANS[this.plan], ...token, ...changes };
    const config = {
      'cloudflare:baseUrl': this.api.baseUrl,
      ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`failover:${key}`, value])),
    };
    await writeFile(this.configFile, stringify({ config }));
    // As docs/dns.md has it: the provider's token is a secret of the stack.
    const set = ['config', 'set', '--secret', 'cloudflare:apiToken', this.tokens.deployment];
    await this.pulumi([...set, ...WORDS, '--config-file', this.configFile]);
  }

  private pulumi(args: readonly string[]): Promise<string> {
    return run(this.engine.pulumi, args, { cwd: REPOSITORY, env: this.env });
  }

  async up(...flags: string[]): Promise<string> {
    const words = ['up', '--yes', '--skip-preview', ...WORDS, '--config-file', this.configFile];
    return this.pulumi([...words, ...flags]);
  }

  async preview(...flags: string[]): Promise<string> {
    return this.pulumi(['preview', ...WORDS, '--config-file', this.configFile, ...flags]);
  }

  async destroy(): Promise<string> {
    const words = ['destroy', '--yes', '--skip-preview', ...WORDS, '--config-file', this.configFile];
    return this.pulumi(words);
  }

  /** The state as text, for looking for what must not be in it. */
  async stateText(): Promise<string> {
    return this.pulumi(['stack', 'export', ...WORDS]);
  }

  async outputs(): Promise<Readonly<Record<string, unknown>>> {
    const told = await this.pulumi(['stack', 'output', '--json', '--show-secrets', ...WORDS]);
    return JSON.parse(told) as Record<string, unknown>;
  }

  /** Asks the emulator over HTTP, as anybody would ask Cloudflare; answers the `result`. */
  async ask<T>(
    call: string,
    options: { readonly body?: object; readonly headers?: object } = {},
  ): Promise<T> {
    const [method = 'GET', where = ''] = call.split(' ');
    const response = await fetch(`${this.api.baseUrl}${where}`, {
      method,
      headers: { authorization: `Bearer ${this.tokens.deployment}`, ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const answer = (await response.json()) as { success: boolean; errors: unknown; result: T };
    if (!answer.success) throw new Error(`${call}: ${JSON.stringify(answer.errors)}`);
    return answer.result;
  }

  async dispose(): Promise<void> {
    await this.api.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

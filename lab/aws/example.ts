/**
 * All three stacks on AWS, filled in as an engineer would, in a folder of their own, with an emulator in place of the account.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { startMoto, type Moto } from '../../tools/artifacts/moto';
import { REPOSITORY } from '../../tools/cache';
import { ensureEngine, type Engine } from '../../tools/engine';
import { type AwsCredentials, Bridge, type JsonMap } from '../../tools/plugins/aws/bridge';
import { emulatedAwsEnvironment } from '../../tools/plugins/aws/install';
import type { Stack } from '../../tools/preview/changed';
import { run } from '../../tools/run';
import { ZONE } from '../names';
import { CA_FILE, certificateOf, ensurePki } from '../pki';

export const REGIONS = {
  'uk-primary': 'eu-west-2',
  'eu-standby': 'eu-central-1',
  witness: 'eu-north-1',
} as const;
const SITES = ['uk-primary', 'eu-standby'] as const;
export const NAME_PREFIX = 'acme-failover';

type Settings = Readonly<Record<string, unknown>>;

/** What would be set in Pulumi.yaml. Costs are AWS's list prices on demand, 730 hours a month. */
const SHARED: Settings = {
  zone: ZONE,
  witnessPlatform: 'aws',
  witnessRegion: REGIONS.witness,
  managementCidrs: ['198.51.100.0/24'],
  awsNamePrefix: NAME_PREFIX,
  dnsProvider: 'route53',
  dnsCheckIntervalSeconds: 30,
  alertEmails: ['on-call@example.com'],
  caCertificateFile: CA_FILE,
  inferenceImage: `docker.io/vllm/vllm-openai@sha256:${'0'.repeat(64)}`,
  modelName: 'example',
  modelsFolder: '/srv/failover/models',
  modelSha256: '0'.repeat(64),
  modelGib: 16,
  qdrantArtifact: 'https://example.com/qdrant-x86_64-unknown-linux-musl.tar.gz',
  qdrantArtifactSha256: '0'.repeat(64),
  qdrantArtifactMember: 'qdrant',
  switchingMode: 'automatic',
  monthlyCostsUsd: { 'uk-primary': 735, 'eu-standby': 700, witness: 15 },
};

/** A server in the UK that was there before, in a range for documentation. */
const EXISTING_SERVER = '192.0.2.10';

export interface ExampleOptions {
  /** `dedicated`: the primary is on a server that exists, the standby and the witness are on AWS. @default aws */
  readonly primaryOn?: 'aws' | 'dedicated';
}

/** Stacks, state and emulator of one run; {@link ExampleWorld.dispose} leaves nothing of it. */
export class ExampleWorld {
  private constructor(
    readonly folder: string,
    readonly engine: Engine,
    readonly env: NodeJS.ProcessEnv,
    readonly moto: Moto,
    private readonly bridge: Bridge,
    private readonly addresses: Readonly<Record<string, string>>,
    private readonly primaryOn: 'aws' | 'dedicated',
  ) {}

  static async start({ primaryOn = 'aws' }: ExampleOptions = {}): Promise<ExampleWorld> {
    await ensurePki();
    const engine = await ensureEngine();
    const moto = await startMoto();
    const folder = await mkdtemp(path.join(tmpdir(), 'failover-aws-'));
    const state = path.join(folder, 'state');
    await mkdir(state);
    await copyFile(path.join(REPOSITORY, 'Pulumi.yaml'), path.join(folder, 'Pulumi.yaml'));
    const env = await emulatedAwsEnvironment(moto, {
      ...engine.env,
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString('hex'),
      PULUMI_NODEJS_TRANSPILE_ONLY: 'true',
    });
    const bridge = new Bridge({
      python: moto.python,
      script: path.join(REPOSITORY, 'tools', 'plugins', 'aws', 'bridge.py'),
      endpoint: moto.endpoint,
    });
    const addresses: Record<string, string> = {};
    for (const site of SITES) {
      const call = {
        service: 'ec2',
        region: REGIONS[site],
        operation: 'allocate_address',
        params: { Domain: 'vpc' },
      };
      addresses[site] = String((await bridge.call(call))['PublicIp']);
    }
    if (primaryOn === 'dedicated') {
      addresses['uk-primary'] = EXISTING_SERVER;
      for (const key of ['operator', 'host'])
        await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', path.join(folder, key)]);
    }
    const world = new ExampleWorld(folder, engine, env, moto, bridge, addresses, primaryOn);
    for (const stack of ['witness', ...SITES] as const) {
      await world.configure(stack);
      await run(engine.pulumi, ['stack', 'init', stack, '--non-interactive', '-C', folder], { env });
    }
    return world;
  }

  configFile(stack: Stack): string {
    return path.join(this.folder, `Pulumi.${stack}.yaml`);
  }

  /** Words that make the engine read this world's configuration of the stack. */
  configWords(stack: Stack): string[] {
    return ['--config-file', this.configFile(stack)];
  }

  /** Writes the stack's file, with `changes` to what the example says. */
  async configure(stack: Stack, changes: Settings = {}): Promise<void> {
    const own = stack === 'witness' ? { stackKind: 'witness' } : await this.siteSettings(stack);
    const sites = SITES.map((site) => ({
      site,
      host: `${site.slice(0, 2)}.${ZONE}`,
      addresses: [this.addresses[site]],
      ...(this.isOnAws(site) ? { platform: 'aws', region: REGIONS[site] } : { platform: 'dedicated' }),
    }));
    const settings: Settings = { ...SHARED, sites, ...own, ...changes };
    const document = {
      config: {
        'aws:region': REGIONS[stack],
        ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`failover:${key}`, value])),
      },
    };
    await writeFile(this.configFile(stack), stringify(document));
  }

  private isOnAws(site: (typeof SITES)[number]): boolean {
    return site !== 'uk-primary' || this.primaryOn === 'aws';
  }

  private async siteSettings(site: (typeof SITES)[number]): Promise<Settings> {
    const { certificate, key } = certificateOf(site);
    return {
      stackKind: 'site',
      site,
      tlsCertificateFile: certificate,
      tlsPrivateKeyFile: key,
      ...(this.isOnAws(site)
        ? {
            awsAmi: 'ami-0123456789abcdef0',
            awsVpcCidr: site === 'uk-primary' ? '10.20.0.0/16' : '10.21.0.0/16',
          }
        : {
            servers: [{ name: 'uk-1', address: EXISTING_SERVER, hostKey: await this.hostKey() }],
            sshPrivateKeyFile: path.join(this.folder, 'operator'),
          }),
    };
  }

  private async hostKey(): Promise<string> {
    const line = await readFile(path.join(this.folder, 'host.pub'), 'utf8');
    return line.split(' ').slice(0, 2).join(' ');
  }

  /** Asks the emulator's own API, as the account's owner or as somebody with these credentials. */
  ask(
    service: string,
    region: string,
    operation: string,
    params: JsonMap = {},
    as?: AwsCredentials,
  ): Promise<JsonMap> {
    return this.bridge.call({ service, region, operation, params, ...(as === undefined ? {} : { as }) });
  }

  async pulumi(args: readonly string[]): Promise<string> {
    return run(this.engine.pulumi, args, { cwd: REPOSITORY, env: this.env });
  }

  async up(stack: Stack, ...flags: string[]): Promise<string> {
    return this.pulumi([
      ...[
        'up',
        '--yes',
        '--skip-preview',
        '--non-interactive',
        '--suppress-outputs',
        '--color',
        'never',
        '--stack',
        stack,
      ],
      ...this.configWords(stack),
      ...flags,
    ]);
  }

  async dispose(): Promise<void> {
    this.bridge.end();
    await this.moto.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

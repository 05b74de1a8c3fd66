/** A server in memory that pulls, its bucket and its secrets. */
import { createHash } from 'node:crypto';
import {
  AppliedState,
  bundleKey,
  desiredKey,
  DesiredState,
  specKey,
  statusKey,
} from '../../../../infra/contract/desired-state';
import type { CredentialName, ServerSpec } from '../../../../infra/contract/site-spec';
import { fullDocument, makePair, SECRETS } from '../../testing/documents';
import { dnsOf, World } from '../../testing/world';
import type { ObjectsPort, PullPorts, SecretsPort, SecretStage, SecretVersion } from '../ports';
import type { PullOptions } from '../options';
import { pull } from '../pull';

export const SERVER = 'uk-1';
export const OPTIONS: PullOptions = {
  bucket: 'site-deploy',
  region: 'eu-west-2',
  server: SERVER,
  install: false,
};
export const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');
export const arnOf = (name: string): string => `arn:aws:secretsmanager:eu-west-2:111122223333:secret:${name}`;

export function makeDocument(): { spec: ServerSpec; credentials: Partial<Record<CredentialName, string>> } {
  const { credentials = {}, ...spec } = fullDocument(makePair());
  // Nobody logs in to a server that pulls.
  const allow = spec.firewall?.allow.filter(({ port }) => port !== 22) ?? [];
  return { spec: { ...spec, server: { ...spec.server, name: SERVER }, firewall: { allow } }, credentials };
}

export class MemoryObjects implements ObjectsPort {
  readonly objects = new Map<string, string>();
  down = false;

  get(key: string): Promise<Buffer> {
    const content = this.down ? undefined : this.objects.get(key);
    return content === undefined
      ? Promise.reject(new Error(`no ${key}`))
      : Promise.resolve(Buffer.from(content));
  }

  put(key: string, text: string): Promise<void> {
    if (this.down) return Promise.reject(new Error(`no ${key}`));
    this.objects.set(key, text);
    return Promise.resolve();
  }
}

export class MemorySecrets implements SecretsPort {
  readonly versions = new Map<string, Partial<Record<SecretStage, SecretVersion>>>();
  reads = 0;

  constructor(private readonly now: () => Date) {}

  rotate(name: string, value: string): void {
    const arn = arnOf(name);
    const current = this.versions.get(arn)?.AWSCURRENT;
    this.versions.set(arn, {
      AWSCURRENT: { value, versionId: `${value.length}-${sha256(value).slice(0, 8)}`, createdAt: this.now() },
      ...(current === undefined ? {} : { AWSPREVIOUS: current }),
    });
  }

  read(arn: string, stage: SecretStage): Promise<SecretVersion | null> {
    this.reads += 1;
    return Promise.resolve(this.versions.get(arn)?.[stage] ?? null);
  }
}

const WITHOUT_SSH = { needsSsh: false };

export class PullWorld {
  readonly world: World;
  readonly objects = new MemoryObjects();
  readonly secrets = new MemorySecrets(() => this.time);
  readonly errors: string[] = [];
  readonly handedOver: string[] = [];
  time = new Date('2030-01-01T00:00:00Z');
  /** What the running process was started from. */
  running: string;
  /** Bundles whose pull ends at once with this status. */
  readonly broken = new Map<string, number>();

  constructor(
    readonly spec: ServerSpec,
    readonly credentials: Partial<Record<CredentialName, string>>,
    bundle: string,
  ) {
    this.world = new World(() => dnsOf(spec, SECRETS['tsig-key']));
    const { host } = this.world;
    host.nodes.delete('/opt/failover/current/failover-agent.js');
    host.nodes.delete('/opt/failover/current');
    this.running = bundle;
    for (const [name, value] of Object.entries(credentials)) this.secrets.rotate(name, value);
    this.deploy(bundle, spec);
  }

  deploy(bundle: string, spec: ServerSpec): DesiredState {
    const specText = JSON.stringify(spec);
    const desired = DesiredState.parse({
      schemaVersion: 1,
      server: SERVER,
      bundle: { key: bundleKey(sha256(bundle)), sha256: sha256(bundle) },
      spec: { key: specKey(sha256(specText)), sha256: sha256(specText) },
      secrets: {
        region: 'eu-west-2',
        names: Object.fromEntries(Object.keys(this.credentials).map((name) => [name, arnOf(name)])),
      },
    });
    this.objects.objects.set(desired.bundle.key, bundle);
    this.objects.objects.set(desired.spec.key, specText);
    this.objects.objects.set(desiredKey(SERVER), JSON.stringify(desired));
    return desired;
  }

  status(): AppliedState {
    return AppliedState.parse(JSON.parse(this.objects.objects.get(statusKey(SERVER)) ?? 'null'));
  }

  /** The units that pull, as the first boot makes them. */
  async install(): Promise<number> {
    return pull(this.ports(this.running), { ...OPTIONS, install: true }, (text) => this.errors.push(text));
  }

  /** What the timer starts: the current release. */
  async pull(): Promise<number> {
    this.running = this.world.host.text('/opt/failover/current/failover-agent.js') ?? this.running;
    return this.pullWith(this.running);
  }

  private pullWith(bundle: string): Promise<number> {
    return pull(this.ports(bundle), OPTIONS, (text) => this.errors.push(text));
  }

  ports(bundle: string): PullPorts {
    const { host, lines } = this.world;
    return {
      host,
      objects: this.objects,
      secretsIn: () => this.secrets,
      self: { sha256: sha256(bundle), read: () => Promise.resolve(Buffer.from(bundle)) },
      apply: (document, sections) => this.world.apply(document, WITHOUT_SSH, { sections }),
      withLock: (work) => work(),
      handOver: async (file) => {
        const other = host.text(file) ?? '';
        this.handedOver.push(other);
        return this.broken.get(other) ?? this.pullWith(other);
      },
      now: () => this.time,
      log: { change: (line) => lines.push(line) },
    };
  }

  later(seconds: number): void {
    this.time = new Date(this.time.getTime() + seconds * 1000);
  }
}

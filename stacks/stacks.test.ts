/**
 * Whole graphs of both kinds of stack, from configuration to outputs, against a mock engine.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as pulumi from '@pulumi/pulumi';
import { BUNDLE } from '../components/testing/host';
import {
  type MockWorld,
  named,
  record,
  type Recorded,
  Secret,
  valueOf,
} from '../components/testing/recording';
import { loadConfig } from '../infra/config';
import { TestAuthority } from '../infra/config/testing/certificates';
import {
  type ConfigInput,
  type Files,
  rawValues,
  SITE,
  STANDBY,
  validFiles,
  WITNESS,
} from '../infra/config/testing/valid-config';
import { SiteOutputs, WitnessOutputs } from '../infra/contract/stack-outputs';
import { declareSite } from './site';
import { declareWitness } from './witness';
import { WitnessMismatchError, WitnessNotReadyError } from './witness-reference';

const NAMESERVERS = ['10.3.0.10', '10.1.0.10', '10.2.0.10'];
const REFERENCED = {
  kind: 'witness',
  zone: 'failover.test',
  serviceHost: 'api.failover.test',
  servers: [{ name: 'witness-1', address: '10.3.0.10' }],
  nameservers: NAMESERVERS,
  storeEndpoint: 'https://witness.failover.test:7070',
  storeRegion: 'us-east-1',
  leaseBucket: 'failover-lease',
  snapshotBucket: 'failover-snapshots',
  clientKey: 'SECRET-client',
  operatorKey: 'SECRET-operator',
  peerKey: 'SECRET-peer',
  qdrantKey: 'SECRET-qdrant',
  vllmKey: 'SECRET-vllm',
  repositoryKey: 'SECRET-repository',
  tsigKey: 'SECRET-tsig',
  storeAccounts: { 'uk-primary': { accessKey: 'site-uk-primary', secretKey: 'SECRET-store' } },
};

let folder: string;
let files: Files;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'failover-stacks-'));
  const authority = new TestAuthority();
  files = validFiles(authority);
  authority.remove();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true }));

function world(config: ConfigInput, more: MockWorld = {}): MockWorld {
  const paths = Object.entries(config).map(([key, value]) => [
    key,
    key.endsWith('File') && value !== '' ? join(folder, String(value)) : value,
  ]);
  return {
    config: rawValues(Object.fromEntries(paths) as Record<string, unknown>),
    referencedOutputs: REFERENCED,
    ...more,
  };
}

function site() {
  const config = loadConfig();
  if (config.kind !== 'site' || config.platform !== 'dedicated') throw new TypeError('expected a site');
  return declareSite(config, BUNDLE);
}
function witness() {
  const config = loadConfig();
  if (config.kind !== 'witness' || config.platform !== 'dedicated') throw new TypeError('expected a witness');
  return declareWitness(config, BUNDLE);
}

/** Everything that shows: inputs without what is marked as secret. */
function plainText(resources: readonly Recorded[]): string {
  return JSON.stringify(resources, (_key, value: unknown) => (value instanceof Secret ? '[secret]' : value));
}

/** Whether `later` comes after `earlier`, through any number of steps. */
function comesAfter(resources: readonly Recorded[], later: string, earlier: string): boolean {
  const { dependencies } = named(resources, later);
  return dependencies.includes(earlier) || dependencies.some((name) => comesAfter(resources, name, earlier));
}

const graph = (resources: readonly Recorded[]) =>
  resources
    .filter(({ type }) => !type.startsWith('pulumi:'))
    .map(({ name, parent, type }) => `${parent || 'stack'} / ${name}: ${type}`)
    .sort();

describe('a site’s stack', () => {
  it('declares one server with every part of a site', async () => {
    const { resources } = await record(site, world(SITE));
    expect(graph(resources)).toEqual(
      [
        'stack / uk-1: failover:dedicated:GpuServer',
        'uk-1 / uk-1-prepare: command:remote:Command',
        'uk-1 / uk-1-bundle: command:remote:CopyToRemote',
        'uk-1 / uk-1-release: command:remote:Command',
        'stack / credentials: failover:dedicated:ServerCredentials',
        'credentials / credentials-uk-1: command:remote:Command',
        'stack / firewall: failover:dedicated:HostFirewall',
        'firewall / firewall-uk-1: command:remote:Command',
        'stack / vectors: failover:dedicated:QdrantCluster',
        'vectors / vectors-uk-1: command:remote:Command',
        'stack / inference: failover:dedicated:InferenceServer',
        'inference / inference-uk-1: command:remote:Command',
        'stack / agent: failover:dedicated:SiteAgent',
        'agent / agent-uk-1: command:remote:Command',
        'stack / edge: failover:dedicated:Edge',
        'edge / edge-uk-1: command:remote:Command',
        'stack / snapshots: failover:dedicated:SnapshotSync',
        'snapshots / snapshots-uk-1: command:remote:Command',
        'stack / dns: failover:dedicated:FailoverDns',
        'dns / dns-uk-1: command:remote:Command',
      ].sort(),
    );
  });

  it('declares every part again on a second server, which joins the cluster that the first began', async () => {
    const [first] = SITE.servers ?? [];
    if (first === undefined) throw new TypeError('a site has a server');
    const config: ConfigInput = {
      ...SITE,
      servers: [first, { ...first, name: 'uk-2', address: '10.1.0.11' }],
      sites: [
        { site: 'uk-primary', host: 'uk.failover.test', addresses: ['10.1.0.10', '10.1.0.11'] },
        { site: 'eu-standby', host: 'eu.failover.test', addresses: ['10.2.0.10'] },
      ],
    };
    const { resources } = await record(site, world(config));
    const { resources: alone } = await record(site, world(SITE));
    const parts = graph(alone).map((line) => line.replaceAll('uk-1', 'uk-2'));
    const further = parts.map((line) =>
      line
        .replace(/^stack \/ (?!uk-2)(\w+):/, 'stack / $1-uk-2:')
        .replace(/^(?!stack|uk-2)(\w+) \//, '$1-uk-2 /'),
    );
    expect(graph(resources)).toEqual([...graph(alone), ...further].sort());
    const { dependencies, inputs } = named(resources, 'vectors-uk-2', 'command:remote:Command');
    expect(dependencies).toContain('vectors-uk-1');
    expect(JSON.parse(String(inputs['stdin']))).toMatchObject({
      server: { name: 'uk-2' },
      vectors: { cluster: { address: '10.1.0.11', founder: '10.1.0.10' } },
    });
  });

  it('puts them in order, which is also the order of taking them away, backwards', async () => {
    const { resources } = await record(site, world(SITE));
    const order = [
      'uk-1-release',
      'credentials-uk-1',
      'firewall-uk-1',
      'vectors-uk-1',
      'inference-uk-1',
      'agent-uk-1',
      'edge-uk-1',
      'snapshots-uk-1',
      'dns-uk-1',
    ];
    order.slice(1).forEach((later, index) => {
      expect({ later, after: comesAfter(resources, later, order[index] ?? '') }).toEqual({
        later,
        after: true,
      });
    });
  });

  it('trap 34: shows no secret in any plain input', async () => {
    const { resources } = await record(site, world(SITE));
    const text = plainText(resources);
    expect(text).not.toContain('SECRET-');
    expect(text).not.toContain(files['uk.key']?.split('\n')[1]);
    expect(text).not.toContain(files['ssh-key']?.split('\n')[1]);
  });

  it('sends the server exactly the credentials that a site needs', async () => {
    const { resources } = await record(site, world(SITE));
    const { stdin } = named(resources, 'credentials-uk-1').inputs;
    const sent = JSON.parse(String((stdin as Secret).value)) as { credentials: object };
    expect(sent.credentials).toEqual({
      'client-key': 'SECRET-client',
      'operator-key': 'SECRET-operator',
      'peer-key': 'SECRET-peer',
      'qdrant-key': 'SECRET-qdrant',
      'vllm-key': 'SECRET-vllm',
      'repository-key': 'SECRET-repository',
      'store-access-key': 'site-uk-primary',
      'store-secret-key': 'SECRET-store',
      'tls-certificate': files['uk.pem'],
      'tls-private-key': files['uk.key'],
    });
  });

  it('sends the TSIG key instead of a certificate with ACME', async () => {
    const acme = {
      tlsMode: 'acme',
      acmeEmail: 'a@b.test',
      tlsCertificateFile: '',
      tlsPrivateKeyFile: '',
    } as const;
    const { resources } = await record(site, world({ ...SITE, ...acme }));
    const { stdin } = named(resources, 'credentials-uk-1').inputs;
    const sent = JSON.parse(String((stdin as Secret).value)) as { credentials: object };
    expect(Object.keys(sent.credentials)).toContain('tsig-key');
    expect(Object.keys(sent.credentials)).not.toContain('tls-certificate');
  });

  it('reads the witness by its full name', async () => {
    const names: string[] = [];
    const spy = jest.spyOn(pulumi.StackReference.prototype, 'getOutputDetails');
    await record(site, world({ ...SITE, witnessStack: 'third-place' }));
    for (const reference of spy.mock.contexts)
      names.push(await valueOf((reference as pulumi.StackReference).name));
    spy.mockRestore();
    expect(new Set(names)).toEqual(new Set(['organization/failover/third-place']));
  });

  it('gives outputs that fit the contract', async () => {
    const { result } = await record(site, world(SITE));
    const outputs = SiteOutputs.parse(await valueOf(result as pulumi.Input<object>));
    expect(outputs).toMatchObject({
      site: 'uk-primary',
      peerSite: 'eu-standby',
      serviceUrl: 'https://api.failover.test',
      siteUrl: 'https://uk.failover.test',
      peerUrl: 'https://eu.failover.test',
      servers: [{ name: 'uk-1', address: '10.1.0.10' }],
      nameservers: NAMESERVERS,
    });
  });

  it('sends its server the zone, and no key that could change one', async () => {
    const { resources } = await record(site, world(SITE));
    const sent = JSON.parse(String(named(resources, 'dns-uk-1').inputs['stdin'])) as { dns: object };
    expect(sent.dns).toMatchObject({ zone: 'failover.test', listen: ['10.1.0.10'] });
    expect(sent.dns).not.toHaveProperty('tsigName');
  });

  it('has the same configuration hash on both sides', async () => {
    const accounts = { 'eu-standby': { accessKey: 'a', secretKey: 's' } };
    const uk = await record(site, world(SITE));
    const eu = await record(
      site,
      world(STANDBY, { referencedOutputs: { ...REFERENCED, storeAccounts: accounts } }),
    );
    expect(uk.result.configHash).toBe(eu.result.configHash);
  });

  it('prepares the GPUs when vLLM runs in a container', async () => {
    const image = `vllm@sha256:${'b'.repeat(64)}`;
    const container = {
      inferenceRuntime: 'container',
      inferenceVenvPath: '',
      inferenceImage: image,
    } as const;
    const { resources } = await record(site, world({ ...SITE, ...container }));
    expect(comesAfter(resources, 'inference-uk-1', 'uk-1-gpu-toolkit')).toBe(true);
  });

  it('protects every section until told otherwise, so that a destroy takes nothing away before it stops', async () => {
    const kept = await record(site, world(SITE));
    const free = await record(site, world({ ...SITE, protectData: false }));
    const unprotected = kept.resources.filter(
      ({ protect, name, type }) => !protect && type.startsWith('command:') && !name.startsWith('uk-1-'),
    );
    expect(unprotected).toEqual([]);
    expect(free.resources.filter(({ protect }) => protect)).toEqual([]);
  });

  it('refuses a witness that has not been deployed, and declares nothing', async () => {
    const attempt = record(site, world(SITE, { referencedOutputs: {} }));
    await expect(attempt).rejects.toThrow(WitnessNotReadyError);
    await expect(attempt).rejects.toThrow(/Run pulumi up --stack witness first/);
  });

  it('refuses a witness of another zone', async () => {
    const attempt = record(site, world(SITE, { referencedOutputs: { ...REFERENCED, zone: 'other.test' } }));
    await expect(attempt).rejects.toThrow(WitnessMismatchError);
    await expect(attempt).rejects.toThrow(
      /this site's zone is failover\.test, and the witness .* other\.test/,
    );
  });

  it('refuses a bad configuration before anything is declared', async () => {
    let declared = 0;
    const attempt = record(
      () => {
        const config = loadConfig();
        declared += 1;
        return config;
      },
      world({ ...SITE, rtoSeconds: 60 }),
    );
    await expect(attempt).rejects.toThrow(/CONFIGURATION_INVALID.*rtoSeconds/s);
    expect(declared).toBe(0);
  });
});

describe('the witness’s stack', () => {
  it('declares the secrets, and one server with store and nameserver', async () => {
    const { resources } = await record(witness, world(WITNESS));
    const parts = graph(resources).filter((line) => !line.includes('random:'));
    expect(parts).toEqual(
      [
        'stack / secrets: failover:dedicated:SharedSecrets',
        'stack / witness-1: failover:dedicated:Server',
        'witness-1 / witness-1-prepare: command:remote:Command',
        'witness-1 / witness-1-bundle: command:remote:CopyToRemote',
        'witness-1 / witness-1-release: command:remote:Command',
        'stack / credentials: failover:dedicated:ServerCredentials',
        'credentials / credentials-witness-1: command:remote:Command',
        'stack / firewall: failover:dedicated:HostFirewall',
        'firewall / firewall-witness-1: command:remote:Command',
        'stack / object-store: failover:dedicated:Witness',
        'object-store / object-store-witness-1: command:remote:Command',
        'stack / dns: failover:dedicated:FailoverDns',
        'dns / dns-witness-1: command:remote:Command',
      ].sort(),
    );
  });

  it('puts them in order', async () => {
    const { resources } = await record(witness, world(WITNESS));
    const order = [
      'witness-1-release',
      'credentials-witness-1',
      'firewall-witness-1',
      'object-store-witness-1',
      'dns-witness-1',
    ];
    order.slice(1).forEach((later, index) => {
      expect({ later, after: comesAfter(resources, later, order[index] ?? '') }).toEqual({
        later,
        after: true,
      });
    });
  });

  it('trap 34: shows no secret in any plain input', async () => {
    const { resources } = await record(witness, world(WITNESS));
    expect(plainText(resources)).not.toContain('generated for');
    expect(plainText(resources)).not.toContain(files['witness.key']?.split('\n')[1]);
  });

  it('gives outputs that fit the contract, its secrets as secrets', async () => {
    const { result } = await record(witness, world(WITNESS));
    const outputs = WitnessOutputs.parse(await valueOf(result as pulumi.Input<object>));
    expect(outputs).toMatchObject({
      zone: 'failover.test',
      nameservers: NAMESERVERS,
      storeEndpoint: 'https://witness.failover.test:7070',
      storeAccounts: { 'eu-standby': { accessKey: 'site-eu-standby' } },
    });
    const secret = [
      'clientKey',
      'operatorKey',
      'peerKey',
      'qdrantKey',
      'vllmKey',
      'repositoryKey',
      'tsigKey',
      'storeAccounts',
    ] as const;
    for (const name of secret)
      expect(await pulumi.isSecret(pulumi.output(result[name] as string))).toBe(true);
  });

  it('protects every section, and the shared secrets through what uses them', async () => {
    const { resources } = await record(witness, world(WITNESS));
    const own = resources.filter(
      ({ name, type }) => type.startsWith('command:') && !name.startsWith('witness-1-'),
    );
    expect(own).toHaveLength(4);
    expect(own.filter(({ protect }) => !protect)).toEqual([]);
  });
});

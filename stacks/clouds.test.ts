/** Stacks on AWS and Cloudflare, from configuration to outputs, against a mock engine. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as pulumi from '@pulumi/pulumi';
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
  AWS_SITE,
  AWS_STANDBY,
  AWS_WITNESS,
  type ConfigInput,
  type Files,
  rawValues,
  SITE,
  validFiles,
  WITNESS,
} from '../infra/config/testing/valid-config';
import { ServerSpec } from '../infra/contract/site-spec';
import { SiteOutputs, WitnessOutputs } from '../infra/contract/stack-outputs';
import { declareAwsSite } from './aws-site';
import { declareAwsWitness } from './aws-witness';
import { declareCloudflareWitness } from './cloudflare-witness';
import { declareSite } from './site';
import { declareWitness } from './witness';
import { WitnessNotReadyError } from './witness-reference';

const ARNS = (region: string) =>
  Object.fromEntries(
    ['client-key', 'operator-key', 'peer-key'].map((name) => [
      name,
      `arn:aws:secretsmanager:${region}:123456789012:secret:acme-failover/${name}`,
    ]),
  );
const REFERENCED = {
  kind: 'witness',
  zone: 'failover.test',
  serviceHost: 'api.failover.test',
  servers: [],
  nameservers: ['ns-1.example.net'],
  storeEndpoint: 'https://s3.eu-north-1.amazonaws.com',
  storeRegion: 'eu-north-1',
  leaseBucket: 'acme-failover-lease-123456789012',
  snapshotBucket: 'acme-failover-snapshots-123456789012',
  route53: { zoneId: 'Z123', alertTopicArn: 'arn:topic' },
  aws: {
    accountId: '123456789012',
    namePrefix: 'acme-failover',
    leaseBucketArn: 'arn:lease',
    snapshotBucketArn: 'arn:snapshots',
    storeKeyArn: 'arn:store-key',
    logs: {
      'eu-west-2': { bucket: 'logs-uk', bucketArn: 'arn:logs-uk', keyArn: 'arn:key:uk' },
      'eu-central-1': { bucket: 'logs-eu', bucketArn: 'arn:logs-eu', keyArn: 'arn:key:eu' },
    },
    secrets: {
      'eu-west-2': { keyArn: 'arn:key:uk', arns: ARNS('eu-west-2') },
      'eu-central-1': { keyArn: 'arn:key:eu', arns: ARNS('eu-central-1') },
    },
  },
  clientKey: 'SECRET-client',
  operatorKey: 'SECRET-operator',
  peerKey: 'SECRET-peer',
  qdrantKey: 'SECRET-qdrant',
  vllmKey: 'SECRET-vllm',
  repositoryKey: 'SECRET-repository',
  tsigKey: 'SECRET-tsig',
  storeAccounts: { 'uk-primary': { accessKey: 'AKIA', secretKey: 'SECRET-store' } },
};
const functions: NonNullable<MockWorld['functions']> = {
  'aws:index/getCallerIdentity:getCallerIdentity': () => ({ accountId: '123456789012' }),
  'aws:index/getAvailabilityZones:getAvailabilityZones': ({ region }) => ({
    names: ['a', 'b', 'c'].map((zone) => `${String(region)}${zone}`),
  }),
  'aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings': ({ region }) => ({
    instanceTypes: ['g6.xlarge'],
    locations: [`${String(region)}b`],
  }),
  'aws:ec2/getElasticIp:getElasticIp': () => ({ id: 'eipalloc-1' }),
  'cloudflare:index/getZone:getZone': () => ({ nameServers: ['a.ns.example.net'] }),
};

let folder: string;
let files: Files;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'failover-clouds-'));
  const authority = new TestAuthority();
  files = { ...validFiles(authority), key: 'SECRET-file\n' };
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
    functions,
    ...more,
  };
}

/** As stacks/index.ts does. */
async function program(): Promise<object> {
  const config = loadConfig();
  if (config.kind === 'site')
    return config.platform === 'aws' ? declareAwsSite(config, BUNDLE) : declareSite(config, BUNDLE);
  if (config.platform === 'aws') return declareAwsWitness(config);
  return config.platform === 'cloudflare' ? declareCloudflareWitness(config) : declareWitness(config, BUNDLE);
}
const declare = (config: ConfigInput, more?: MockWorld) => record(program, world(config, more));
const outputsOf = async (result: object): Promise<object> =>
  (await valueOf(result as pulumi.Input<object>)) as object;

const text = (resources: readonly Recorded[]): string =>
  JSON.stringify(resources, (_key, value: unknown) => (value instanceof Secret ? '[secret]' : value));
const ofType = (resources: readonly Recorded[], type: string) =>
  resources.filter((resource) => resource.type.endsWith(`:${type}`));
const contentOf = (resources: readonly Recorded[], name: string): unknown =>
  JSON.parse(String(named(resources, name).inputs['content']));

describe('a site on AWS', () => {
  it('runs in the zone that offers the type, on the address that DNS names', async () => {
    const { resources } = await declare(AWS_SITE);
    expect(named(resources, 'uk-primary-1', 'aws:ec2/instance:Instance').inputs).toMatchObject({
      region: 'eu-west-2',
      ami: 'ami-0123456789abcdef0',
      instanceType: 'g6.xlarge',
      disableApiTermination: true,
    });
    expect(named(resources, 'uk-primary-1-data').inputs).toMatchObject({ availabilityZone: 'eu-west-2b' });
    expect(named(resources, 'uk-primary-1-address').inputs).toMatchObject({ allocationId: 'eipalloc-1' });
  });

  it('points its server at the bundle, the spec and the secrets, by hash and by name', async () => {
    const { resources } = await declare(AWS_SITE);
    const pointer = contentOf(resources, 'desired-uk-primary-1') as {
      spec: { key: string };
      secrets: object;
    };
    expect(pointer).toMatchObject({
      server: 'uk-primary-1',
      bundle: { key: `bundles/${BUNDLE.sha256}.js`, sha256: BUNDLE.sha256 },
      spec: { key: named(resources, 'desired-uk-primary-1-spec').inputs['key'] },
      secrets: {
        region: 'eu-west-2',
        names: {
          ...ARNS('eu-west-2'),
          'qdrant-key': 'arn:own-secrets-qdrant-key',
          'vllm-key': 'arn:own-secrets-vllm-key',
          'tls-certificate': 'arn:own-secrets-tls-certificate',
          'tls-private-key': 'arn:own-secrets-tls-private-key',
        },
      },
    });
    const spec = ServerSpec.parse(contentOf(resources, 'desired-uk-primary-1-spec'));
    expect(spec.agent?.store).toMatchObject({ endpoint: REFERENCED.storeEndpoint, credentials: 'instance' });
    expect(spec.firewall?.allow.map(({ port }) => port)).toEqual([443]);
    expect(spec.credentials).toBeUndefined();
    expect(spec.logs).toMatchObject({
      credentials: 'instance',
      destinations: [{ bucket: 'logs-eu' }, { bucket: 'logs-uk' }],
    });
  });

  it('has an instance for each of several addresses, which reach one another and nobody else on 6335', async () => {
    const [uk, eu] = AWS_SITE.sites ?? [];
    const addresses = ['203.0.113.10', '203.0.113.11'];
    const { resources } = await declare({ ...AWS_SITE, sites: [{ ...uk, addresses }, eu] } as ConfigInput);
    expect(ofType(resources, 'Instance').map(({ name }) => name)).toEqual(['uk-primary-1', 'uk-primary-2']);
    const spec = ServerSpec.parse(contentOf(resources, 'desired-uk-primary-2-spec'));
    expect(spec.agent?.servers).toMatchObject({ own: 'uk-primary-2', founder: false });
    expect(spec.vectors?.cluster).toMatchObject({ address: addresses[1], founder: addresses[0] });
    const rules = ofType(resources, 'SecurityGroupIngressRule').map(({ inputs }) => inputs);
    const between = rules.filter((rule) => rule['fromPort'] === 6335);
    expect(between.map((rule) => rule['cidrIpv4'])).toEqual(addresses.map((address) => `${address}/32`));
  });

  it('answers to health checks as one half of a failover record', async () => {
    const uk = await declare(AWS_SITE);
    const eu = await declare(AWS_STANDBY);
    expect(named(uk.resources, 'dns-service').inputs).toMatchObject({
      zoneId: 'Z123',
      setIdentifier: 'uk-primary',
      failoverRoutingPolicies: [{ type: 'PRIMARY' }],
    });
    expect(named(eu.resources, 'dns-service').inputs).toMatchObject({
      failoverRoutingPolicies: [{ type: 'SECONDARY' }],
    });
    expect(named(uk.resources, 'dns-check').inputs).toMatchObject({
      requestInterval: 10,
      failureThreshold: 3,
    });
  });

  it('opens 443 to those that the configuration names, the peer and the checkers', async () => {
    const { resources } = await declare(AWS_SITE);
    const rules = ofType(resources, 'SecurityGroupIngressRule').map(({ inputs }) => inputs);
    expect(rules.map((rule) => rule['cidrIpv4'])).toEqual([
      '10.8.0.0/16',
      '10.9.0.0/24',
      '192.0.2.0/24',
      '198.51.100.10/32',
    ]);
  });

  it('trap 34: shows no secret in any plain input', async () => {
    const { resources } = await declare({ ...AWS_SITE, slackWebhookFile: 'key' });
    expect(text(resources)).not.toContain('SECRET-');
    expect(text(resources)).not.toContain(files['uk.key']?.split('\n')[1]);
    expect(named(resources, 'own-secrets-alert-slack-webhook-value').inputs['secretString']).toEqual(
      new Secret('SECRET-file'),
    );
  });

  it('has the same configuration hash as its peer, on AWS or not', async () => {
    const [UK, EU] = AWS_SITE.sites ?? [];
    if (UK === undefined || EU === undefined) throw new TypeError('two sites');
    const sites = [{ ...UK, platform: 'dedicated' as const, region: '' }, EU];
    const { servers, sshPrivateKeyFile } = SITE;
    const mixed: ConfigInput = {
      ...AWS_SITE,
      awsAmi: '',
      servers: servers ?? [],
      sshPrivateKeyFile: sshPrivateKeyFile ?? '',
      sites,
    };
    const hashes: string[] = [];
    for (const config of [AWS_SITE, AWS_STANDBY, mixed, { ...AWS_STANDBY, sites }]) {
      const { result } = await declare(config);
      hashes.push(SiteOutputs.parse(await outputsOf(result)).configHash);
    }
    const [uk, eu, mixedUk, mixedEu] = hashes;
    expect(eu).toBe(uk);
    expect(mixedEu).toBe(mixedUk);
  });

  it('stops a destroy before anything is taken away, until told otherwise', async () => {
    const kept = await declare(AWS_SITE);
    const free = await declare({ ...AWS_SITE, protectData: false });
    const { protect, dependencies } = named(kept.resources, 'protection');
    expect(protect).toBe(true);
    for (const name of [
      'dns-service',
      'network-out',
      'uk-primary-1-address',
      'desired-uk-primary-1',
      'deploy-policy',
    ])
      expect(dependencies).toContain(name);
    expect(free.resources.filter((resource) => resource.protect)).toEqual([]);
    expect(named(free.resources, 'uk-primary-1', 'aws:ec2/instance:Instance').inputs).toMatchObject({
      disableApiTermination: false,
    });
  });

  it('refuses a witness that is not on AWS, and declares nothing', async () => {
    const { aws: _aws, ...elsewhere } = REFERENCED;
    const attempt = declare(AWS_SITE, { referencedOutputs: elsewhere });
    await expect(attempt).rejects.toThrow(WitnessNotReadyError);
    await expect(attempt).rejects.toThrow(/was deployed to a dedicated server and not to AWS/);
  });

  it('gives outputs that fit the contract', async () => {
    const { result } = await declare({
      ...AWS_SITE,
      monthlyCostsUsd: { 'uk-primary': 1, 'eu-standby': 1, witness: 0 },
    });
    expect(SiteOutputs.parse(await outputsOf(result))).toMatchObject({
      platform: 'aws',
      servers: [{ name: 'uk-primary-1', address: '203.0.113.10' }],
      cost: { factor: 2 },
    });
  });
});

describe('a dedicated site with a witness on AWS', () => {
  const [UK, EU] = AWS_SITE.sites ?? [];
  const config = {
    ...AWS_SITE,
    awsAmi: '',
    servers: SITE.servers ?? [],
    sshPrivateKeyFile: SITE.sshPrivateKeyFile ?? '',
    sites: [{ ...UK, platform: 'dedicated', region: '' }, EU],
  } as ConfigInput;

  it('uses the account that the witness made for it, and its own half of the record', async () => {
    const { resources } = await declare(config);
    const { stdin } = named(resources, 'credentials-uk-1').inputs;
    const sent = JSON.parse(String((stdin as Secret).value)) as { credentials: Record<string, string> };
    expect(sent.credentials).toMatchObject({
      'store-access-key': 'AKIA',
      'store-secret-key': 'SECRET-store',
    });
    expect(named(resources, 'dns-service').inputs).toMatchObject({ setIdentifier: 'uk-primary' });
    expect(JSON.parse(String(named(resources, 'logs-uk-1').inputs['stdin']))).toMatchObject({
      logs: { credentials: 'account' },
    });
  });

  it('gets that account from the witness, whose secrets then have their replica with it', async () => {
    const { resources, result } = await declare({ ...AWS_WITNESS, sites: config.sites });
    expect(named(resources, 'store-uk-primary', 'aws:iam/user:User').inputs).toEqual({
      name: 'acme-failover-uk-primary',
    });
    expect(named(resources, 'replicated-secrets-client-key').inputs).toMatchObject({
      region: 'eu-central-1',
      replicas: [{ region: 'eu-north-1' }],
    });
    const outputs = WitnessOutputs.parse(await outputsOf(result));
    expect(Object.keys(outputs.storeAccounts)).toEqual(['uk-primary']);
    expect(Object.keys(outputs.aws?.secrets ?? {})).toEqual(['eu-central-1', 'eu-north-1']);
  });
});

describe('the witness on AWS', () => {
  it('has no server, and everything that the sites need', async () => {
    const { resources, result } = await declare(AWS_WITNESS);
    expect(ofType(resources, 'Command')).toEqual([]);
    expect(ofType(resources, 'Bucket').map(({ inputs }) => [inputs['bucket'], inputs['region']])).toEqual([
      ['acme-failover-lease-123456789012', 'eu-north-1'],
      ['acme-failover-snapshots-123456789012', 'eu-north-1'],
      ['acme-failover-logs-eu-west-2-123456789012', 'eu-west-2'],
      ['acme-failover-logs-eu-central-1-123456789012', 'eu-central-1'],
    ]);
    expect(WitnessOutputs.parse(await outputsOf(result))).toMatchObject({
      servers: [],
      storeEndpoint: 'https://s3.eu-north-1.amazonaws.com',
      aws: { accountId: '123456789012' },
      storeAccounts: {},
    });
  });

  it('keeps logs for as long as it is told, and locks them when told', async () => {
    const { resources } = await declare({ ...AWS_WITNESS, awsLogRetentionDays: 365, awsLogLockDays: 30 });
    expect(named(resources, 'logs-eu-central-1-lifecycle').inputs['rules']).toMatchObject([
      { expiration: { days: 365 }, transitions: [{ days: 30, storageClass: 'STANDARD_IA' }] },
    ]);
    expect(named(resources, 'logs-eu-central-1-lock').inputs['rule']).toEqual({
      defaultRetention: { mode: 'COMPLIANCE', days: 30 },
    });
  });

  it('keeps a zone that you own, and makes one otherwise', async () => {
    const own = await declare({ ...AWS_WITNESS, route53ZoneId: 'Z0123456789' });
    const made = await declare(AWS_WITNESS);
    expect(named(made.resources, 'dns-zone').inputs).toMatchObject({ name: 'failover.test' });
    expect(
      own.resources.filter(({ name }) => name === 'dns-zone').map(({ inputs }) => inputs['name']),
    ).not.toContain('failover.test');
  });
});

describe('with Cloudflare', () => {
  const CLOUDFLARE: ConfigInput = {
    dnsProvider: 'cloudflare',
    cloudflareAccountId: 'a'.repeat(32),
    cloudflareZoneId: 'b'.repeat(32),
    cloudflareTokenFile: 'key',
    clientCidrs: ['0.0.0.0/0'],
  };
  const SERVED = { ...REFERENCED, route53: undefined, aws: undefined };

  it('a witness on a server leaves the zone to Cloudflare', async () => {
    const { resources, result } = await declare({ ...WITNESS, ...CLOUDFLARE });
    expect(named(resources, 'dns-cloudflare').type).toBe('failover:cloudflare:Record');
    expect(resources.filter(({ type }) => type.includes('PowerDns'))).toEqual([]);
    expect(WitnessOutputs.parse(await outputsOf(result)).nameservers).toEqual(['a.ns.example.net']);
  });

  it('a plan of load balancing gets pools, monitors and notifications', async () => {
    const plan: ConfigInput = {
      cloudflarePlan: 'business',
      dnsCheckIntervalSeconds: 35,
      switchingMode: 'automatic',
      alertEmails: ['on-call@example.com'],
    };
    const { resources } = await declare({ ...WITNESS, ...CLOUDFLARE, ...plan });
    expect(named(resources, 'dns-cloudflare').type).toBe('failover:cloudflare:Failover');
    expect(ofType(resources, 'LoadBalancerMonitor').map(({ inputs }) => inputs['interval'])).toEqual([
      15, 15,
    ]);
    expect(ofType(resources, 'NotificationPolicy').length).toBeGreaterThan(0);
  });

  it('without one, the site’s agent moves the record, with a token of that zone', async () => {
    const { resources } = await declare({ ...SITE, ...CLOUDFLARE }, { referencedOutputs: SERVED });
    const { stdin } = named(resources, 'agent-uk-1').inputs;
    expect(JSON.parse(String(stdin))).toMatchObject({
      agent: { dnsRecord: { provider: 'cloudflare', name: 'api.failover.test', addresses: ['10.1.0.10'] } },
    });
    const credentials = named(resources, 'credentials-uk-1').inputs['stdin'] as Secret;
    expect(JSON.parse(String(credentials.value))).toMatchObject({
      credentials: { 'dns-token': 'SECRET-file' },
    });
  });

  it('a witness may be R2 alone, with accounts made by hand', async () => {
    const r2: ConfigInput = { ...CLOUDFLARE, witnessPlatform: 'cloudflare', witnessAddresses: [] };
    const bare = { servers: [], sshPrivateKeyFile: '', tlsCertificateFile: '', tlsPrivateKeyFile: '' };
    const { resources, result } = await declare({ ...WITNESS, ...r2, ...bare });
    expect(ofType(resources, 'R2Bucket').map(({ inputs }) => inputs['name'])).toEqual([
      'failover-lease',
      'failover-snapshots',
    ]);
    const outputs = WitnessOutputs.parse(await outputsOf(result));
    expect(outputs.storeEndpoint).toBe(`https://${'a'.repeat(32)}.eu.r2.cloudflarestorage.com`);
    const site = await declare(
      { ...SITE, ...r2, storeAccessKeyFile: 'key', storeSecretKeyFile: 'key' },
      { referencedOutputs: { ...SERVED, storeAccounts: {} } },
    );
    const credentials = named(site.resources, 'credentials-uk-1').inputs['stdin'] as Secret;
    expect(JSON.parse(String(credentials.value))).toMatchObject({
      credentials: { 'store-access-key': 'SECRET-file' },
    });
  });
});

/** Configurations that pass every check, for tests to spoil one key at a time. */
import type { z } from 'zod';
import { parseConfig, type ParsedConfig, type ParsedSite, type ParsedWitness } from '../parse';
import type { ConfigSchema } from '../schema';
import { hostKey, sshPrivateKey, type TestAuthority } from './certificates';

export type ConfigInput = z.input<typeof ConfigSchema>;

const SHARED: ConfigInput = {
  zone: 'failover.test',
  sites: [
    { site: 'uk-primary', host: 'uk.failover.test', addresses: ['10.1.0.10'] },
    { site: 'eu-standby', host: 'eu.failover.test', addresses: ['10.2.0.10'] },
  ],
  witnessAddresses: ['10.3.0.10'],
  managementCidrs: ['10.9.0.0/24'],
  clientCidrs: ['10.8.0.0/16'],
  caCertificateFile: 'ca.pem',
  sshPrivateKeyFile: 'ssh-key',
  inferenceRuntime: 'venv',
  inferenceVenvPath: '/opt/vllm',
  modelName: 'tiny',
  modelSha256: 'a'.repeat(64),
  qdrantArtifact: '/opt/qdrant',
  versitygwArtifact: '/opt/versitygw',
};

export const SITE: ConfigInput = {
  ...SHARED,
  stackKind: 'site',
  site: 'uk-primary',
  servers: [{ name: 'uk-1', address: '10.1.0.10', hostKey: hostKey(1) }],
  tlsCertificateFile: 'uk.pem',
  tlsPrivateKeyFile: 'uk.key',
};

export const STANDBY: ConfigInput = {
  ...SITE,
  site: 'eu-standby',
  servers: [{ name: 'eu-1', address: '10.2.0.10', hostKey: hostKey(2) }],
  tlsCertificateFile: 'eu.pem',
  tlsPrivateKeyFile: 'eu.key',
};

export const WITNESS: ConfigInput = {
  ...SHARED,
  stackKind: 'witness',
  servers: [{ name: 'witness-1', address: '10.3.0.10', hostKey: hostKey(3) }],
  tlsCertificateFile: 'witness.pem',
  tlsPrivateKeyFile: 'witness.key',
};

const ON_AWS: ConfigInput = {
  sites: [
    {
      site: 'uk-primary',
      host: 'uk.failover.test',
      addresses: ['203.0.113.10'],
      platform: 'aws',
      region: 'eu-west-2',
    },
    {
      site: 'eu-standby',
      host: 'eu.failover.test',
      addresses: ['198.51.100.10'],
      platform: 'aws',
      region: 'eu-central-1',
    },
  ],
  witnessPlatform: 'aws',
  witnessRegion: 'eu-north-1',
  witnessAddresses: [],
  servers: [],
  sshPrivateKeyFile: '',
  modelsFolder: '/srv/failover/models',
  inferenceRuntime: 'container',
  inferenceVenvPath: '',
  inferenceImage: `docker.io/vllm/vllm-openai@sha256:${'b'.repeat(64)}`,
  awsNamePrefix: 'acme-failover',
  dnsProvider: 'route53',
  dnsCheckIntervalSeconds: 30,
  dnsCheckerCidrs: ['192.0.2.0/24'],
};

export const AWS_SITE: ConfigInput = { ...SITE, ...ON_AWS, awsAmi: 'ami-0123456789abcdef0' };
export const AWS_STANDBY: ConfigInput = { ...STANDBY, ...ON_AWS, awsAmi: 'ami-0fedcba9876543210' };
export const AWS_WITNESS: ConfigInput = {
  ...WITNESS,
  ...ON_AWS,
  tlsCertificateFile: '',
  tlsPrivateKeyFile: '',
};

export type Files = Record<string, string>;

export function validFiles(authority: TestAuthority): Files {
  const uk = authority.issue(['api.failover.test', 'uk.failover.test']);
  const eu = authority.issue(['api.failover.test', 'eu.failover.test']);
  const witness = authority.issue(['witness.failover.test']);
  return {
    'ca.pem': authority.certificate,
    'ssh-key': sshPrivateKey('none'),
    'uk.pem': uk.certificate,
    'uk.key': uk.privateKey,
    'eu.pem': eu.certificate,
    'eu.key': eu.privateKey,
    'witness.pem': witness.certificate,
    'witness.key': witness.privateKey,
  };
}

/** As the engine hands them over: every value a string, every key with its namespace. */
export function rawValues(config: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      `failover:${key}`,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

export interface ParseOptions {
  readonly stack?: string;
  readonly secretKeys?: readonly string[];
  readonly now?: Date;
  /** Configuration of other namespaces. */
  readonly otherValues?: Readonly<Record<string, string>>;
}

export function parse(
  config: Readonly<Record<string, unknown>>,
  files: Files,
  { stack = 'test-stack', secretKeys = [], now = new Date(), otherValues = {} }: ParseOptions = {},
): ParsedConfig {
  const read = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
    return text;
  };
  const raw = {
    namespace: 'failover',
    values: { ...rawValues(config), ...otherValues },
    isSecret: (key: string) => secretKeys.includes(key),
  };
  return parseConfig(stack, raw, { read, now });
}

export function parseSite(config: Readonly<Record<string, unknown>>, files: Files): ParsedSite {
  const parsed = parse(config, files);
  if (parsed.kind !== 'site' || parsed.platform !== 'dedicated') throw new TypeError('expected a site');
  return parsed;
}

export function parseWitness(config: Readonly<Record<string, unknown>>, files: Files): ParsedWitness {
  const parsed = parse(config, files);
  if (parsed.kind !== 'witness' || parsed.platform !== 'dedicated') throw new TypeError('expected a witness');
  return parsed;
}

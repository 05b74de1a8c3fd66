/**
 * The configuration's one schema. Keys are flat and carry their units. Pulumi.yaml declares the same keys with the
 * same defaults and a description of each; a test holds the two together.
 *
 * What both sites must agree on is set once, as a default in Pulumi.yaml; a stack's file holds `STACK_KEYS` only.
 */
import { z } from 'zod';
import {
  artifactOrUnset,
  cidrs,
  cloudflareIdOrUnset,
  fileOrUnset,
  hostNameOrUnset,
  ipAddresses,
  memoryOrUnset,
  oneOf,
  regionOrUnset,
  seconds,
  server,
  serverPathOrUnset,
  sha256OrUnset,
  site,
  siteNameOrUnset,
  textOrUnset,
  wholeNumber,
} from './fields';

const listOfTextError = 'a list of strings';
const mapOfTextError = 'a map of strings';
const booleanError = 'true or false';
const emailsError = 'a list of e-mail addresses';
const costsError = 'a map of US dollars a month by site, such as {"uk-primary": 900, "witness": 20}';
const flag = z.boolean({ error: booleanError });

export const ConfigSchema = z.strictObject({
  // Which stack this is, and how its servers are reached.
  stackKind: oneOf(['', 'site', 'witness']).default(''),
  site: siteNameOrUnset().default(''),
  servers: z.array(server, { error: 'a list of servers as {name, address, hostKey}' }).default([]),
  sshUser: textOrUnset(/^[a-z_][a-z0-9_-]*$/, 'a user name').default('root'),
  sshPort: wholeNumber('the port', 1, 65535).default(22),
  sshPrivateKeyFile: fileOrUnset().default(''),
  tlsCertificateFile: fileOrUnset().default(''),
  tlsPrivateKeyFile: fileOrUnset().default(''),
  storeAccessKeyFile: fileOrUnset().default(''),
  storeSecretKeyFile: fileOrUnset().default(''),
  awsAmi: textOrUnset(/^ami-[0-9a-f]{17}$/, 'an image such as ami-0123456789abcdef0').default(''),
  awsVpcCidr: textOrUnset(/^10\.\d{1,3}\.0\.0\/16$/, 'a /16 such as 10.20.0.0/16').default('10.20.0.0/16'),

  // The world that all stacks share.
  zone: hostNameOrUnset().default(''),
  serviceHost: hostNameOrUnset().default(''),
  sites: z.array(site, { error: 'a list of sites as {site, host, addresses}' }).default([]),
  initialSite: siteNameOrUnset().default(''),
  witnessStack: textOrUnset(/^[\w.-]+$/, "a stack's name").default('witness'),
  witnessPlatform: oneOf(['dedicated', 'aws', 'cloudflare']).default('dedicated'),
  witnessRegion: regionOrUnset().default(''),
  witnessHost: hostNameOrUnset().default(''),
  witnessAddresses: ipAddresses.default([]),
  managementCidrs: cidrs.default([]),
  dnsCheckerCidrs: cidrs.default([]),
  clientCidrs: cidrs.default(['0.0.0.0/0', '::/0']),
  resolverCidrs: cidrs.default(['0.0.0.0/0', '::/0']),
  sshDialErrorLimit: wholeNumber('attempts', 1, 100).default(3),
  sshPerDialTimeoutSeconds: seconds(1, 300).default(15),
  protectData: flag.default(true),

  // Certificates.
  tlsMode: oneOf(['files', 'acme']).default('files'),
  caCertificateFile: fileOrUnset().default(''),
  acmeDirectoryUrl: textOrUnset(/^https:\/\/\S+$/, 'an https:// address').default(
    'https://acme-v02.api.letsencrypt.org/directory',
  ),
  acmeEmail: textOrUnset(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, 'an e-mail address').default(''),

  // Inference.
  inferenceRuntime: oneOf(['container', 'venv']).default('container'),
  inferenceImage: textOrUnset(
    /^\S+@sha256:[0-9a-f]{64}$/,
    'an image pinned by digest such as docker.io/vllm/vllm-openai@sha256:…',
  ).default(''),
  inferenceGpus: textOrUnset(/^(all|\d+(,\d+)*)$/, 'all, or GPU numbers such as 0,1').default('all'),
  inferenceVenvPath: serverPathOrUnset().default(''),
  inferenceExtraArgs: z.array(z.string({ error: listOfTextError }), { error: listOfTextError }).default([]),
  inferenceEnvironment: z
    .record(z.string(), z.string({ error: mapOfTextError }), { error: mapOfTextError })
    .default({}),
  inferenceStartTimeoutSeconds: seconds(10, 7200).default(600),
  inferenceDrainSeconds: seconds(1, 3600).default(60),
  inferenceMemoryMax: memoryOrUnset().default(''),
  generationTimeoutSeconds: seconds(10, 86_400).default(3600),
  modelName: textOrUnset(/^\S+$/, 'a name without spaces').default(''),
  modelSha256: sha256OrUnset().default(''),
  modelReplacesSha256: sha256OrUnset().default(''),
  modelKnownPrompt: z.string({ error: 'a text' }).default(''),
  modelKnownAnswer: z.string({ error: 'a text' }).default(''),
  modelRolloutOrder: oneOf(['standby-first', 'any']).default('standby-first'),
  modelPullMaxMbitPerSecond: wholeNumber('Mbit/s', 0, 1_000_000).default(500),
  modelsFolder: serverPathOrUnset().default('/var/lib/failover-models'),

  // Vectors and object store: programs that Debian does not package.
  qdrantVersion: textOrUnset(/^\d+\.\d+\.\d+$/, 'a version such as 1.18.3').default('1.18.3'),
  qdrantArtifact: artifactOrUnset().default(''),
  qdrantArtifactSha256: sha256OrUnset().default(''),
  qdrantArtifactMember: textOrUnset(/^[^/\s]\S*$/, "a file's path inside the archive").default(''),
  qdrantMemoryMax: memoryOrUnset().default(''),
  resticArtifact: artifactOrUnset().default(
    'https://github.com/restic/restic/releases/download/v0.18.0/restic_0.18.0_linux_amd64.bz2',
  ),
  resticArtifactSha256: sha256OrUnset().default(
    '98f6dd8bf5b59058d04bfd8dab58e196cc2a680666ccee90275a3b722374438e',
  ),
  versitygwArtifact: artifactOrUnset().default(''),
  versitygwArtifactSha256: sha256OrUnset().default(''),
  versitygwArtifactMember: textOrUnset(/^[^/\s]\S*$/, "a file's path inside the archive").default(''),

  // AWS, for stacks whose platform it is.
  awsNamePrefix: textOrUnset(
    /^[a-z][a-z0-9-]{2,23}$/,
    'lower-case letters, digits and hyphens, 3 to 24',
  ).default(''),
  awsInstanceType: textOrUnset(/^[a-z0-9-]+\.[a-z0-9]+$/, 'an instance type such as g6.xlarge').default(
    'g6.xlarge',
  ),
  awsRootVolumeGib: wholeNumber('GiB', 30, 16_384).default(100),
  awsDataVolumeGib: wholeNumber('GiB', 10, 16_384).default(200),
  modelGib: wholeNumber('GiB', 0, 10_000).default(0),
  awsLogRetentionDays: wholeNumber('days', 31, 3650).default(90),
  awsLogLockDays: wholeNumber('days', 0, 3650).default(0),
  awsReserveCapacity: flag.default(false),
  route53ZoneId: textOrUnset(/^Z[A-Z0-9]{5,31}$/, 'a hosted zone such as Z0123456789ABC').default(''),
  cloudflareAccountId: cloudflareIdOrUnset().default(''),
  cloudflareZoneId: cloudflareIdOrUnset().default(''),
  cloudflarePlan: oneOf(['none', 'pro', 'business', 'enterprise']).default('none'),
  cloudflareTokenFile: fileOrUnset().default(''),

  // Alerts.
  pagerdutyKeyFile: fileOrUnset().default(''),
  opsgenieKeyFile: fileOrUnset().default(''),
  alertAccountsRegion: oneOf(['us', 'eu']).default('us'),
  slackWebhookFile: fileOrUnset().default(''),
  alertWebhookFile: fileOrUnset().default(''),
  alertEmails: z
    .array(z.string({ error: emailsError }).regex(/^[^\s@]+@[^\s@]+\.[^\s@]+$/, emailsError), {
      error: emailsError,
    })
    .default([]),

  // Edge.
  edgeMaxConnections: wholeNumber('connections', 16, 1_000_000).default(4096),

  // Lease and switching.
  leaseTtlSeconds: seconds(3, 600).default(30),
  leaseSafetyMarginSeconds: seconds(1, 300).default(5),
  leaseMaxClockDriftPpm: wholeNumber('parts per million', 0, 100_000).default(500),
  switchingMode: oneOf(['manual', 'veto', 'automatic']).default('veto'),
  vetoSeconds: seconds(1, 86_400).default(60),
  operatorDecisionSeconds: seconds(0, 86_400).default(90),
  cooldownSeconds: seconds(0, 86_400).default(600),
  maxSwitchesPerHour: wholeNumber('switches', 1, 60).default(2),
  handoverSyncSeconds: seconds(1, 3600).default(30),
  engineRestartGraceSeconds: seconds(0, 3600).default(20),
  engineRestartsPerHour: wholeNumber('restarts', 0, 20).default(2),

  // Probes.
  probeIntervalSeconds: seconds(1, 300).default(10),
  probeTimeoutSeconds: seconds(1, 300).default(5),
  probeFailureThreshold: wholeNumber('probes', 1, 100).default(6),
  probeRecoveryThreshold: wholeNumber('probes', 1, 100).default(10),

  // DNS.
  dnsProvider: oneOf(['powerdns', 'route53', 'cloudflare']).default('powerdns'),
  dnsTtlSeconds: seconds(1, 3600).default(60),
  dnsCheckIntervalSeconds: seconds(1, 300).default(10),

  // Replication.
  publishIntervalSeconds: seconds(5, 3600).default(300),
  applyIntervalSeconds: seconds(1, 86_400).default(60),
  copyEstimateSeconds: seconds(0, 86_400).default(120),
  historyAllHours: wholeNumber('hours', 1, 720).default(2),
  historyHourlyHours: wholeNumber('hours', 0, 8760).default(48),
  historyDailyDays: wholeNumber('days', 0, 3650).default(31),
  restoreTestIntervalHours: wholeNumber('hours', 0, 720).default(24),
  holdWritesSeconds: seconds(1, 60).default(5),
  replicationMaxMbitPerSecond: wholeNumber('Mbit/s', 0, 100_000).default(500),

  // Objectives.
  drillIntervalDays: wholeNumber('days', 0, 366).default(100),
  // Checked at preview.
  rtoSeconds: seconds(1).default(300),
  rpoSeconds: seconds(1).default(3600),
  monthlyCostsUsd: z
    .record(z.string(), z.number({ error: costsError }).nonnegative(costsError), { error: costsError })
    .default({}),
  maxCostPercent: wholeNumber('per cent', 100, 1000).default(200),
});

/** The configuration as written, defaults filled in, every key of the right shape. */
export type FlatConfig = z.output<typeof ConfigSchema>;
export type ConfigKey = keyof FlatConfig;

export const CONFIG_KEYS = Object.keys(ConfigSchema.shape) as readonly ConfigKey[];

/** Keys that differ from stack to stack and belong in Pulumi.<stack>.yaml; all others belong in Pulumi.yaml. */
export const STACK_KEYS: ReadonlySet<ConfigKey> = new Set<ConfigKey>([
  'stackKind',
  'site',
  'servers',
  'sshUser',
  'sshPort',
  'sshPrivateKeyFile',
  'tlsCertificateFile',
  'tlsPrivateKeyFile',
  'storeAccessKeyFile',
  'storeSecretKeyFile',
  'awsAmi',
  'awsVpcCidr',
]);

export type ConfigValueKind = 'string' | 'integer' | 'boolean' | 'array' | 'object';

/** How each key is written, in Pulumi.yaml's words; derived from the schema, so that it cannot disagree with it. */
export function valueKinds(): Readonly<Record<ConfigKey, ConfigValueKind>> {
  const json = z.toJSONSchema(ConfigSchema, { io: 'input' });
  const kinds = CONFIG_KEYS.map((key) => {
    const property = json.properties?.[key];
    if (typeof property !== 'object' || typeof property.type !== 'string')
      throw new TypeError(`configuration key ${key} has no single JSON type`);
    return [key, property.type];
  });
  return Object.fromEntries(kinds) as Record<ConfigKey, ConfigValueKind>;
}

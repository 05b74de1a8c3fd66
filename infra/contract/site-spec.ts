/**
 * The site spec: what one server must look like, as one JSON document.
 *
 * Components build it at preview time, `failover-agent apply` converges a server to it. It is the only thing
 * that crosses from the infrastructure code to the servers. A document may carry any subset of sections; a
 * section that is absent is left alone, `failover-agent remove <section>` undoes one.
 *
 * Secrets appear only in the `credentials` section, which travels by itself; every other section names a
 * credential by its key and may be shown in a preview.
 */
import { z } from 'zod';
import { AlertsSpec, DnsRecordSpec } from './outward-spec';

const port = z.number().int().min(1).max(65535);
const seconds = z.number().positive();
const cidr = z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, 'a CIDR such as 203.0.113.0/24');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');

/** Where a server finds a program that Debian does not package. `sha256` is checked before it is used. */
export const ArtifactSpec = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('path'), path: z.string().startsWith('/'), sha256: sha256.optional() }),
  /** A plain executable, one compressed as .bz2, or a .tar.gz that holds one at `member`. */
  z.strictObject({ kind: z.literal('url'), url: z.url(), sha256, member: z.string().optional() }),
]);

/** Names of the credentials; each becomes /etc/failover/credentials/<name>, mode 0600 root. */
export const CREDENTIALS = [
  'client-key', // clients of the service: `Authorization: Bearer` or `api-key`
  'operator-key', // /status, /metrics, /failover/*
  'peer-key', // site to site: /peer/*
  'qdrant-key', // edge and agent to Qdrant
  'vllm-key', // edge and agent to vLLM
  'repository-key', // encrypts what is published; the same at all sites
  'store-access-key', // this server's account at the object store
  'store-secret-key',
  'store-root-secret', // witness: root account of the object store
  'store-accounts', // witness: JSON [{access, secret, site}]
  'tls-certificate', // PEM chain
  'tls-private-key', // PEM
  'tsig-key', // ACME by DNS challenge: base64 HMAC-SHA256 key of RFC 2136 updates
  'dns-token', // API token that may edit the records of the service's zone and nothing else
  'alert-pagerduty-key', // routing key of an Events API v2 integration
  'alert-opsgenie-key', // key of an API integration
  'alert-slack-webhook', // address of an incoming webhook
  'alert-webhook', // address that takes the agent's own JSON
] as const;
export type CredentialName = (typeof CREDENTIALS)[number];
export const CredentialsSpec = z.partialRecord(z.enum(CREDENTIALS), z.string().min(1));

export const FirewallSpec = z.strictObject({
  /** What may come in from outside; loopback, established flows and ICMP always may. All else is dropped. */
  allow: z.array(
    z.strictObject({
      comment: z.string().regex(/^[\w .,:/-]*$/),
      protocol: z.enum(['tcp', 'udp']),
      port,
      from: z.array(cidr).min(1),
    }),
  ),
});

/** Where weights are pulled from, and how: `infra/contract/weights.ts`. */
const ModelSpec = z.strictObject({
  /** Name that clients ask for (`--served-model-name`). */
  name: z.string().min(1),
  /** Folder below which each version has its own. */
  folder: z.string().startsWith('/'),
  /** SHA-256 of the version's SHA256SUMS file, which lists every file of it. */
  sha256,
  /** The version before, while sites change over: either site may take over from the other with one or the other. */
  replacesSha256: sha256.optional(),
  /** What a version must go on with, greedily, before it counts as serving. */
  knownAnswer: z.strictObject({ prompt: z.string().min(1), answer: z.string().min(1) }).optional(),
  /** Whether the lease's holder may change its version before its peer serves the new one. */
  rolloutOrder: z.enum(['standby-first', 'any']).default('standby-first'),
  store: z.strictObject({
    endpoint: z.url(),
    region: z.string(),
    bucket: z.string(),
    /** account: the credentials `store-access-key` and `store-secret-key`; instance: the EC2 instance's role. */
    credentials: z.enum(['account', 'instance']).default('account'),
    /** PEM of the authority that its certificate chains to; absent: the system's authorities. */
    caCertificate: z.string().optional(),
    /** Bound on pulling; 0 is none. */
    maxMbitPerSecond: z.number().int().nonnegative().default(500),
  }),
});

export const InferenceSpec = z.strictObject({
  runtime: z.discriminatedUnion('kind', [
    /** Production: a digest-pinned image run by podman with the NVIDIA container toolkit (CDI). */
    z.strictObject({
      kind: z.literal('container'),
      image: z.string().regex(/@sha256:[0-9a-f]{64}$/, 'an image pinned by digest: repo@sha256:…'),
      gpus: z.string().default('all'),
    }),
    /** A Python environment that holds vLLM already: CPU machines. */
    z.strictObject({ kind: z.literal('venv'), path: z.string().startsWith('/') }),
  ]),
  model: ModelSpec,
  port: port.default(8000),
  extraArgs: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  /** How long a start may take until `/health` answers; real models take 215–277 s. */
  startTimeoutSeconds: seconds.default(600),
  /** In-flight generations are given this long when stopping (`--shutdown-timeout`). */
  drainSeconds: seconds.default(60),
  memoryMax: z.string().optional(),
});

export const VectorsCluster = z.strictObject({
  /** This node's address, by which the others reach it. */
  address: z.string(),
  /** Address of the node that the cluster begins with; the others join by it. */
  founder: z.string(),
  /** Between nodes. */
  port,
  /** Of each shard, in a collection that does not say otherwise. */
  replicas: z.number().int().positive(),
});

/** The other servers of a site, as one of them reaches them: each at its own address, all by the site's name. */
export const OtherServers = z
  .array(z.strictObject({ name: z.string().regex(/^[a-z0-9-]+$/), address: z.string() }))
  .min(1);

/** One of a site's several servers, as its agent knows itself. */
export const AgentServers = z.strictObject({
  own: z.string(),
  /** True on exactly one server: its memory is the site's when there is no other yet. */
  founder: z.boolean(),
  /** That Qdrant keeps of each shard. */
  replicas: z.number().int().positive(),
  others: OtherServers,
});

export const VectorsSpec = z.strictObject({
  runtime: ArtifactSpec,
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  port: port.default(6333),
  memoryMax: z.string().optional(),
  /** Absent on a site's only server: one node, on loopback. */
  cluster: VectorsCluster.optional(),
});

export const EdgeSpec = z.strictObject({
  serviceHost: z.string(), // api.example.com
  siteHost: z.string(), // uk.example.com
  site: z.string(),
  tls: z.discriminatedUnion('mode', [
    /** Certificate and key are the credentials `tls-certificate` and `tls-private-key`. */
    z.strictObject({ mode: z.literal('files') }),
    /** certbot with RFC 2136 updates to the witness's DNS, signed with the credential `tsig-key`. */
    z.strictObject({
      mode: z.literal('acme'),
      directoryUrl: z.url(),
      email: z.email(),
      names: z.array(z.string()).min(1),
      dnsServer: z.string(),
      tsigName: z.string(),
    }),
  ]),
  /** PEM of the certificate authority that the peers' and the witness's certificates chain to; absent: the system's. */
  caCertificate: z.string().optional(),
  peer: z.strictObject({ host: z.string(), addresses: z.array(z.string()).min(1) }),
  /** Absent on a site's only server. */
  others: OtherServers.optional(),
  inferencePort: port.default(8000),
  vectorsPort: port.default(6333),
  /** A single generation may stream for this long. */
  generationTimeoutSeconds: seconds.default(3600),
  maxConnections: z.number().int().positive().default(4096),
});

/**
 * Who decides a switch: a person; the agents unless a person says no within `vetoSeconds`; the agents.
 */
export const SwitchingMode = z.enum(['manual', 'veto', 'automatic']);

export const SiteAgentSpec = z.strictObject({
  site: z.string(), // uk-primary
  siteHost: z.string(), // uk.example.com
  peer: z.strictObject({ site: z.string(), host: z.string(), addresses: z.array(z.string()).min(1) }),
  caCertificate: z.string().optional(),
  /** Absent on a site's only server, which leads its site for ever. */
  servers: AgentServers.optional(),
  /** True on exactly one site: it takes the very first lease; afterwards the value means nothing. */
  initialHolder: z.boolean(),
  lease: z.strictObject({
    ttlSeconds: seconds,
    /** The holder stops writing this long before the TTL could have passed. */
    safetyMarginSeconds: z.number().nonnegative(),
    /** Bound on the relative rate of two monotonic clocks, in parts per million. */
    maxClockDriftPpm: z.number().nonnegative().default(500),
    requestTimeoutSeconds: seconds,
  }),
  switching: z.strictObject({
    mode: SwitchingMode,
    /** Mode veto: how long a proposed switch waits for somebody to say no. */
    vetoSeconds: seconds.default(60),
    cooldownSeconds: z.number().nonnegative(),
    maxSwitchesPerHour: z.number().int().positive(),
    /** Bound on the last publish and apply when a sick holder hands over; the hand-over goes on without it. */
    handoverSyncSeconds: seconds,
    /** How long a sick holder waits for an engine that it has asked to have restarted; 0 hands over at once. */
    engineRestartGraceSeconds: z.number().nonnegative().default(20),
    /** Bound on restarts of a stuck engine that the agent asks for; 0 never asks. */
    engineRestartsPerHour: z.number().int().min(0).max(20).default(2),
  }),
  canary: z.strictObject({
    intervalSeconds: seconds,
    timeoutSeconds: seconds,
    failureThreshold: z.number().int().positive(),
    recoveryThreshold: z.number().int().positive(),
    /** Window and share of failures that count as failing although the streak is broken. */
    windowProbes: z.number().int().positive().default(10),
    windowFailureRatio: z.number().min(0).max(1).default(0.5),
  }),
  store: z.strictObject({
    endpoint: z.url(),
    region: z.string(),
    leaseBucket: z.string(),
    snapshotBucket: z.string(),
    /** account: the credentials `store-access-key` and `store-secret-key`; instance: the EC2 instance's role. */
    credentials: z.enum(['account', 'instance']).default('account'),
    /** PEM of the authority that its certificate chains to; absent: the system's authorities. */
    caCertificate: z.string().optional(),
  }),
  snapshots: z.strictObject({
    rpoSeconds: seconds,
    /** Which publishes are kept: all of some hours, then one an hour, then one a day, counted back from the newest. */
    history: z
      .strictObject({
        allHours: z.number().int().min(1),
        hourlyHours: z.number().int().nonnegative(),
        dailyDays: z.number().int().nonnegative(),
      })
      .default({ allHours: 2, hourlyHours: 48, dailyDays: 31 }),
    /** Longest that writes are held while snapshots are cut; past it they go on and counts become bounds. */
    holdWritesSeconds: seconds.default(5),
    /** How often the standby brings a publish of the history back beside its data, to see that it can; 0 never. */
    restoreTestIntervalHours: z.number().nonnegative().default(24),
    /** Bound on what a publish sends and, separately, on what an apply receives; 0 is none. */
    maxMbitPerSecond: z.number().int().nonnegative().default(500),
  }),
  /** Longest between two drills before somebody is told; 0 never. */
  drillIntervalDays: z.number().nonnegative().default(100),
  /** The backup engine that keeps the publishes. */
  restic: ArtifactSpec,
  /** What must be the same on both sites before one may take over from the other. */
  parity: z.strictObject({
    configHash: z.string(),
    modelSha256: sha256,
    /** The version before, while sites change over. */
    replacesModelSha256: sha256.optional(),
    qdrantVersion: z.string(),
  }),
  inference: z.strictObject({
    port,
    modelName: z.string(),
    /** An engine on whose port nobody listens is left alone for so long: it may be loading its model. */
    startTimeoutSeconds: seconds.default(600),
  }),
  vectors: z.strictObject({ port }),
  /** Absent: DNS follows readiness by itself. */
  dnsRecord: DnsRecordSpec.optional(),
  /** Absent: nobody is told by the agent. */
  alerts: AlertsSpec.optional(),
});

export const TimersSpec = z.strictObject({
  publishIntervalSeconds: seconds,
  applyIntervalSeconds: seconds,
});

/** The journals of our units, shipped off the server as JSON: `logs/<site>/<server>/<day>/<time>-<number>.json.gz` in every destination. */
export const LogsSpec = z.strictObject({
  /** Each gets everything, and one that is away delays none of the others. */
  destinations: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z0-9-]{1,32}$/, 'lower-case letters, digits and hyphens'),
        endpoint: z.url(),
        region: z.string(),
        bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of a bucket'),
      }),
    )
    .min(1)
    .max(3)
    .refine(
      (destinations) => new Set(destinations.map(({ name }) => name)).size === destinations.length,
      'each name once',
    ),
  /** account: the credentials `store-access-key` and `store-secret-key`; instance: the EC2 instance's role. */
  credentials: z.enum(['account', 'instance']),
  intervalSeconds: seconds.default(60),
  /** What may wait on the server in all; past it the oldest is dropped, and the drop told. */
  spoolMaxMib: z.number().int().positive().default(256),
});

/** Witness: versitygw with its lease and snapshot buckets and one account per site. */
export const ObjectStoreSpec = z.strictObject({
  runtime: ArtifactSpec,
  host: z.string(), // witness.example.com, in its certificate
  port: port.default(7070),
  region: z.string(),
  rootAccessKey: z.string(),
  leaseBucket: z.string().min(4),
  snapshotBucket: z.string().min(4),
  /** Site names; `store-accounts` holds their keys. A site may write snapshots only under its own prefix and `latest`. */
  sites: z.array(z.string()).min(1),
});

/**
 * Witness and dedicated sites: PowerDNS, authoritative for the zone, answering the service name from the sites' readiness.
 * Nothing is transferred: every server makes the same zone from the same spec, which differs only in `listen` and `tsigName`.
 */
export const DnsSpec = z.strictObject({
  zone: z.string(),
  serviceHost: z.string(),
  ttlSeconds: z.number().int().positive(),
  checkIntervalSeconds: z.number().int().positive(),
  /** All that answer for the zone, the witness's first: it is the zone's primary, and takes the challenges. */
  nameservers: z.array(z.strictObject({ host: z.string(), address: z.string() })).min(1),
  /** This server's own addresses among them. */
  listen: z.array(z.string()).min(1),
  /** In order of preference when more than one site should ever be ready. `host` gets a plain A record. */
  sites: z
    .array(z.strictObject({ site: z.string(), host: z.string(), addresses: z.array(z.string()).min(1) }))
    .min(1),
  records: z
    .array(
      z.strictObject({ name: z.string(), type: z.enum(['A', 'AAAA', 'CNAME', 'TXT']), value: z.string() }),
    )
    .default([]),
  /** `_acme-challenge.<host>` of each is delegated to the first nameserver. */
  challengeHosts: z.array(z.string()).default([]),
  /**
   * First nameserver only: it has a zone for each challenge, which the TSIG key of this name may write; the key's secret is
   * the credential `tsig-key`.
   */
  tsigName: z.string().optional(),
});

export const ServerSpec = z.strictObject({
  schemaVersion: z.literal(1),
  server: z.strictObject({ site: z.string(), name: z.string() }),
  credentials: CredentialsSpec.optional(),
  firewall: FirewallSpec.optional(),
  inference: InferenceSpec.optional(),
  vectors: VectorsSpec.optional(),
  agent: SiteAgentSpec.optional(),
  edge: EdgeSpec.optional(),
  timers: TimersSpec.optional(),
  logs: LogsSpec.optional(),
  objectStore: ObjectStoreSpec.optional(),
  dns: DnsSpec.optional(),
});

/** Sections in the order in which a server takes them; removal goes the other way. */
export const SECTIONS = [
  'credentials',
  'firewall',
  'objectStore',
  'dns',
  'vectors',
  'inference',
  'agent',
  'edge',
  'timers',
  'logs',
] as const;
export type SectionName = (typeof SECTIONS)[number];

export type ArtifactSpec = z.output<typeof ArtifactSpec>;
export type CredentialsSpec = z.output<typeof CredentialsSpec>;
export type FirewallSpec = z.output<typeof FirewallSpec>;
export type InferenceSpec = z.output<typeof InferenceSpec>;
export type VectorsSpec = z.output<typeof VectorsSpec>;
export type VectorsCluster = z.output<typeof VectorsCluster>;
export type OtherServers = z.output<typeof OtherServers>;
export type AgentServers = z.output<typeof AgentServers>;
export type EdgeSpec = z.output<typeof EdgeSpec>;
export type SiteAgentSpec = z.output<typeof SiteAgentSpec>;
export type SwitchingMode = z.output<typeof SwitchingMode>;
export type LogsSpec = z.output<typeof LogsSpec>;
export type TimersSpec = z.output<typeof TimersSpec>;
export type ObjectStoreSpec = z.output<typeof ObjectStoreSpec>;
export type DnsSpec = z.output<typeof DnsSpec>;
export type ServerSpec = z.output<typeof ServerSpec>;

/** What a site's server must look like, section by section, from the configuration and the witness's outputs. */
import { leaseRequestTimeoutSeconds } from '../budgets';
import type { FlatConfig } from '../config/schema';
import type { SiteEntry } from '../config/parse';
import { configHash } from '../config-hash';
import {
  type DnsSpec,
  EdgeSpec,
  FirewallSpec,
  InferenceSpec,
  SiteAgentSpec,
  TimersSpec,
  VectorsSpec,
} from '../contract/site-spec';
import { AlertsSpec, DnsRecordSpec } from '../contract/outward-spec';
import { artifactSpec } from './artifact';
import { servesDns, siteDns } from './dns';
import { siblingCidrs, siteFirewall } from './firewall';
import { TSIG_NAME } from './names';

/** What a site learns from the witness's stack. */
export interface WitnessFacts {
  readonly storeEndpoint: string;
  readonly storeRegion: string;
  readonly leaseBucket: string;
  readonly snapshotBucket: string;
}

export interface SiteInput {
  readonly settings: FlatConfig;
  readonly own: SiteEntry;
  readonly peer: SiteEntry;
  readonly caCertificate: string | undefined;
  readonly witness: WitnessFacts;
  /** How many servers the site has. @default 1 */
  readonly servers?: number;
}

export interface SiteSections {
  readonly firewall: FirewallSpec;
  readonly vectors: VectorsSpec;
  readonly inference: InferenceSpec;
  readonly agent: SiteAgentSpec;
  readonly edge: EdgeSpec;
  readonly timers: TimersSpec;
  /** Absent where the site has no nameserver. No part of the configuration's hash: each server listens elsewhere. */
  readonly dns?: DnsSpec;
}

const memory = (value: string) => (value === '' ? {} : { memoryMax: value });
const authority = (caCertificate: string | undefined) =>
  caCertificate === undefined ? {} : { caCertificate };

/** Weights lie in the bucket of the snapshots, below a prefix of their own. */
function modelSpec({ settings, own, caCertificate, witness }: SiteInput): InferenceSpec['model'] {
  const { modelReplacesSha256: replaces, modelKnownPrompt: prompt, modelKnownAnswer: answer } = settings;
  return InferenceSpec.shape.model.parse({
    name: settings.modelName,
    folder: settings.modelsFolder,
    sha256: settings.modelSha256,
    ...(replaces === '' ? {} : { replacesSha256: replaces }),
    ...(prompt === '' ? {} : { knownAnswer: { prompt, answer } }),
    rolloutOrder: settings.modelRolloutOrder,
    store: {
      endpoint: witness.storeEndpoint,
      region: witness.storeRegion,
      bucket: witness.snapshotBucket,
      credentials: own.platform === 'aws' ? 'instance' : 'account',
      ...(settings.witnessPlatform === 'dedicated' ? authority(caCertificate) : {}),
      maxMbitPerSecond: settings.modelPullMaxMbitPerSecond,
    },
  });
}

function inferenceSpec(input: SiteInput): InferenceSpec {
  const { settings } = input;
  return InferenceSpec.parse({
    runtime:
      settings.inferenceRuntime === 'container'
        ? { kind: 'container', image: settings.inferenceImage, gpus: settings.inferenceGpus || 'all' }
        : { kind: 'venv', path: settings.inferenceVenvPath },
    model: modelSpec(input),
    extraArgs: settings.inferenceExtraArgs,
    environment: settings.inferenceEnvironment,
    startTimeoutSeconds: settings.inferenceStartTimeoutSeconds,
    drainSeconds: settings.inferenceDrainSeconds,
    ...memory(settings.inferenceMemoryMax),
  });
}

function vectorsSpec(settings: FlatConfig): VectorsSpec {
  return VectorsSpec.parse({
    runtime: artifactSpec({
      artifact: settings.qdrantArtifact,
      sha256: settings.qdrantArtifactSha256,
      member: settings.qdrantArtifactMember,
    }),
    version: settings.qdrantVersion,
    ...memory(settings.qdrantMemoryMax),
  });
}

function edgeSpec({ settings, own, peer, caCertificate }: SiteInput): EdgeSpec {
  return EdgeSpec.parse({
    serviceHost: settings.serviceHost,
    siteHost: own.host,
    site: own.site,
    tls:
      settings.tlsMode === 'files'
        ? { mode: 'files' }
        : {
            mode: 'acme',
            directoryUrl: settings.acmeDirectoryUrl,
            email: settings.acmeEmail,
            names: [settings.serviceHost, own.host],
            dnsServer: settings.witnessAddresses[0],
            tsigName: TSIG_NAME,
          },
    ...authority(caCertificate),
    peer: { host: peer.host, addresses: peer.addresses },
    generationTimeoutSeconds: settings.generationTimeoutSeconds,
    maxConnections: settings.edgeMaxConnections,
  });
}

/** What the agent calls outside: the record that it moves where nothing else follows readiness, and whom it alerts. */
function outward({ settings, own }: SiteInput): Pick<SiteAgentSpec, 'dnsRecord' | 'alerts'> {
  const inEurope = settings.alertAccountsRegion === 'eu';
  const targets = [
    ...(settings.pagerdutyKeyFile === ''
      ? []
      : [{ kind: 'pagerduty', ...(inEurope ? { url: 'https://events.eu.pagerduty.com/v2/enqueue' } : {}) }]),
    ...(settings.opsgenieKeyFile === ''
      ? []
      : [{ kind: 'opsgenie', ...(inEurope ? { url: 'https://api.eu.opsgenie.com/v2/alerts' } : {}) }]),
    ...(settings.slackWebhookFile === '' ? [] : [{ kind: 'slack' }]),
    ...(settings.alertWebhookFile === '' ? [] : [{ kind: 'generic' }]),
  ];
  return {
    ...(settings.dnsProvider === 'cloudflare' && settings.cloudflarePlan === 'none'
      ? {
          dnsRecord: DnsRecordSpec.parse({
            provider: 'cloudflare',
            zoneId: settings.cloudflareZoneId,
            name: settings.serviceHost,
            addresses: own.addresses,
          }),
        }
      : {}),
    ...(targets.length === 0 ? {} : { alerts: AlertsSpec.parse({ targets }) }),
  };
}

function agentSpec(
  input: SiteInput,
  inference: InferenceSpec,
  vectors: VectorsSpec,
  hash: string,
): SiteAgentSpec {
  const { settings, own, peer, caCertificate, witness } = input;
  return SiteAgentSpec.parse({
    site: own.site,
    siteHost: own.host,
    peer: { site: peer.site, host: peer.host, addresses: peer.addresses },
    ...authority(caCertificate),
    initialHolder: settings.initialSite === own.site,
    lease: {
      ttlSeconds: settings.leaseTtlSeconds,
      safetyMarginSeconds: settings.leaseSafetyMarginSeconds,
      maxClockDriftPpm: settings.leaseMaxClockDriftPpm,
      requestTimeoutSeconds: leaseRequestTimeoutSeconds(settings.leaseTtlSeconds),
    },
    switching: {
      mode: settings.switchingMode,
      vetoSeconds: settings.vetoSeconds,
      cooldownSeconds: settings.cooldownSeconds,
      maxSwitchesPerHour: settings.maxSwitchesPerHour,
      handoverSyncSeconds: settings.handoverSyncSeconds,
      engineRestartGraceSeconds: settings.engineRestartGraceSeconds,
      engineRestartsPerHour: settings.engineRestartsPerHour,
    },
    canary: {
      intervalSeconds: settings.probeIntervalSeconds,
      timeoutSeconds: settings.probeTimeoutSeconds,
      failureThreshold: settings.probeFailureThreshold,
      recoveryThreshold: settings.probeRecoveryThreshold,
    },
    store: {
      endpoint: witness.storeEndpoint,
      region: witness.storeRegion,
      leaseBucket: witness.leaseBucket,
      snapshotBucket: witness.snapshotBucket,
      // S3's and R2's own certificates come from public authorities, whatever the sites' comes from.
      ...(settings.witnessPlatform === 'dedicated' ? authority(caCertificate) : {}),
      credentials: own.platform === 'aws' ? 'instance' : 'account',
    },
    snapshots: {
      rpoSeconds: settings.rpoSeconds,
      history: {
        allHours: settings.historyAllHours,
        hourlyHours: settings.historyHourlyHours,
        dailyDays: settings.historyDailyDays,
      },
      restoreTestIntervalHours: settings.restoreTestIntervalHours,
      holdWritesSeconds: settings.holdWritesSeconds,
      maxMbitPerSecond: settings.replicationMaxMbitPerSecond,
    },
    drillIntervalDays: settings.drillIntervalDays,
    restic: artifactSpec({
      artifact: settings.resticArtifact,
      sha256: settings.resticArtifactSha256,
      member: '',
    }),
    parity: {
      configHash: hash,
      modelSha256: inference.model.sha256,
      ...(inference.model.replacesSha256 === undefined
        ? {}
        : { replacesModelSha256: inference.model.replacesSha256 }),
      qdrantVersion: settings.qdrantVersion,
    },
    inference: {
      port: inference.port,
      modelName: settings.modelName,
      startTimeoutSeconds: inference.startTimeoutSeconds,
    },
    vectors: { port: vectors.port },
    ...outward(input),
  });
}

export function siteSections(input: SiteInput): SiteSections {
  const { settings, own, peer } = input;
  const vectors = vectorsSpec(settings);
  const inference = inferenceSpec(input);
  const edge = edgeSpec(input);
  const timers = TimersSpec.parse({
    publishIntervalSeconds: settings.publishIntervalSeconds,
    applyIntervalSeconds: settings.applyIntervalSeconds,
  });
  const draft = agentSpec(input, inference, vectors, '');
  const hash = configHash({ vectors, inference, edge, timers, agent: draft });
  return {
    firewall: FirewallSpec.parse(
      siteFirewall(settings, own, peer.addresses, siblingCidrs(own, input.servers ?? 1)),
    ),
    vectors,
    inference,
    agent: { ...draft, parity: { ...draft.parity, configHash: hash } },
    edge,
    timers,
    ...(servesDns(settings, own) ? { dns: siteDns(settings, own) } : {}),
  };
}

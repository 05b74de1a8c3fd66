import { Edge } from '../components/edge';
import { FailoverDns } from '../components/failover-dns';
import { GpuServer } from '../components/gpu-server';
import { HostFirewall } from '../components/host-firewall';
import { InferenceServer } from '../components/inference-server';
import { LogShipping } from '../components/log-shipping';
import { PowerDns } from '../components/power-dns';
import { QdrantCluster } from '../components/qdrant-cluster';
import { ServerCredentials } from '../components/server-credentials';
import { SiteAgent } from '../components/site-agent';
import { SnapshotSync } from '../components/snapshot-sync';
import type { AgentBundle } from '../infra/bundle';
import type { SiteConfig } from '../infra/config';
import type { SiteOutputs } from '../infra/contract/stack-outputs';
import { logsSpec } from '../infra/specs/logs';
import { siteSections } from '../infra/specs/site';
import { declareSiteRecord } from './dns';
import type { AsInputs } from './outputs';
import { serverArgs } from './server-args';
import { siteOutputs } from './site-outputs';
import { readWitness, type WitnessReference } from './witness-reference';

/** A site: the whole service on one server, active or warm; which of the two is the lease's business. */
export async function declareSite(config: SiteConfig, bundle: AgentBundle): Promise<AsInputs<SiteOutputs>> {
  const { settings, own, peer, server, caCertificate } = config;
  const witness = await readWitness(settings.witnessStack, {
    site: own.site,
    zone: settings.zone,
    serviceHost: settings.serviceHost,
  });
  const spec = siteSections({ settings, own, peer, caCertificate, witness: witness.facts });

  // All of it or nothing: a destroy that stops at what holds data would have taken the edge away by then.
  const opts = { protect: settings.protectData };
  const host = new GpuServer(server.name, {
    ...serverArgs(config, own.site, bundle),
    containers: settings.inferenceRuntime === 'container',
  });
  const credentials = new ServerCredentials(
    'credentials',
    {
      host,
      after: [],
      credentials: {
        'client-key': witness.secret('clientKey'),
        'operator-key': witness.secret('operatorKey'),
        'peer-key': witness.secret('peerKey'),
        'qdrant-key': witness.secret('qdrantKey'),
        'vllm-key': witness.secret('vllmKey'),
        'repository-key': witness.secret('repositoryKey'),
        ...(settings.witnessPlatform === 'cloudflare' ? {} : storeAccount(witness)),
        ...config.secrets.outward,
        ...(settings.tlsMode === 'acme' ? { 'tsig-key': witness.secret('tsigKey') } : config.secrets.tls),
      },
    },
    opts,
  );
  const firewall = new HostFirewall('firewall', { host, after: [credentials], spec: spec.firewall }, opts);
  const vectors = new QdrantCluster(
    'vectors',
    {
      host,
      after: [firewall],
      spec: spec.vectors,
    },
    opts,
  );
  // One after the other: both may install packages.
  const inference = new InferenceServer('inference', { host, after: [vectors], spec: spec.inference }, opts);
  const agent = new SiteAgent('agent', { host, after: [vectors, inference], spec: spec.agent }, opts);
  const edge = new Edge('edge', { host, after: [agent], spec: spec.edge }, opts);
  const snapshots = new SnapshotSync('snapshots', { host, after: [edge], spec: spec.timers }, opts);
  const logs = logsSpec(witness.facts.aws?.logs ?? {}, 'account');
  if (logs !== undefined) new LogShipping('logs', { host, after: [snapshots], spec: logs }, opts);

  declareSiteRecord(config, witness.facts);
  // Last: a nameserver that cannot be made must not keep the site from serving. The others answer meanwhile.
  const dns =
    spec.dns === undefined
      ? undefined
      : new FailoverDns(
          'dns',
          { provider: new PowerDns({ host, after: [snapshots], spec: spec.dns }) },
          opts,
        );
  return siteOutputs(config, {
    ...(dns === undefined ? {} : { nameservers: dns.nameservers }),
    servers: [{ name: server.name, address: server.address }],
    configHash: spec.agent.parity.configHash,
  });
}

/** The site's account at an object store that the witness's stack made. */
function storeAccount(witness: WitnessReference) {
  const account = witness.storeAccount();
  return {
    'store-access-key': account.apply(({ accessKey }) => accessKey),
    'store-secret-key': account.apply(({ secretKey }) => secretKey),
  };
}

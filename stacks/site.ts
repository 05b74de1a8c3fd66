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
import type { ServerConfig, SiteConfig } from '../infra/config';
import type { SiteOutputs } from '../infra/contract/stack-outputs';
import { logsSpec } from '../infra/specs/logs';
import { siteSections, type SiteSections } from '../infra/specs/site';
import { sectionsOn, siteServers } from '../infra/specs/site-servers';
import { declareSiteRecord } from './dns';
import type { AsInputs } from './outputs';
import { serverArgs } from './server-args';
import { siteOutputs } from './site-outputs';
import { readWitness, type WitnessReference } from './witness-reference';

/** A site: the whole service on each of its servers, active or warm; which of the two is the lease's business. */
export async function declareSite(config: SiteConfig, bundle: AgentBundle): Promise<AsInputs<SiteOutputs>> {
  const { settings, own, peer, caCertificate } = config;
  const witness = await readWitness(settings.witnessStack, {
    site: own.site,
    zone: settings.zone,
    serviceHost: settings.serviceHost,
  });
  const servers = siteServers(
    own,
    config.servers.map(({ name }) => name),
  );
  const facts = { settings, own, peer, caCertificate, witness: witness.facts, servers: servers.length };
  const spec = siteSections(facts);
  let founder: QdrantCluster | undefined;
  let nameservers: readonly string[] | undefined;
  for (const [index, server] of servers.entries()) {
    const made = declareServer(config, bundle, {
      server: config.servers[index] ?? config.server,
      // The first server's names are those of a site that has no other.
      named: (component) => (index === 0 ? component : `${component}-${server.name}`),
      spec: sectionsOn(spec, servers, server),
      witness,
      founder,
    });
    founder ??= made.vectors;
    nameservers ??= made.nameservers;
  }
  declareSiteRecord(config, witness.facts);
  return siteOutputs(config, {
    ...(nameservers === undefined ? {} : { nameservers }),
    servers: config.servers,
    configHash: spec.agent.parity.configHash,
  });
}

interface ServerParts {
  readonly server: ServerConfig;
  readonly named: (component: string) => string;
  readonly spec: SiteSections;
  readonly witness: WitnessReference;
  /** The node that the cluster began with has to be there before others join it. */
  readonly founder: QdrantCluster | undefined;
}

function declareServer(config: SiteConfig, bundle: AgentBundle, parts: ServerParts) {
  const { settings, own } = config;
  const { server, named, spec, witness, founder } = parts;
  // All of it or nothing: a destroy that stops at what holds data would have taken the edge away by then.
  const opts = { protect: settings.protectData };
  const host = new GpuServer(server.name, {
    ...serverArgs(config, own.site, bundle, server),
    containers: settings.inferenceRuntime === 'container',
  });
  const credentials = new ServerCredentials(
    named('credentials'),
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
  const after = [credentials];
  const firewall = new HostFirewall(named('firewall'), { host, after, spec: spec.firewall }, opts);
  const vectors = new QdrantCluster(
    named('vectors'),
    {
      host,
      after: [firewall, ...(founder === undefined ? [] : [founder])],
      spec: spec.vectors,
    },
    opts,
  );
  // One after the other: both may install packages.
  const inference = new InferenceServer(
    named('inference'),
    { host, after: [vectors], spec: spec.inference },
    opts,
  );
  const agent = new SiteAgent(named('agent'), { host, after: [vectors, inference], spec: spec.agent }, opts);
  const edge = new Edge(named('edge'), { host, after: [agent], spec: spec.edge }, opts);
  const snapshots = new SnapshotSync(named('snapshots'), { host, after: [edge], spec: spec.timers }, opts);
  const logs = logsSpec(witness.facts.aws?.logs ?? {}, 'account');
  if (logs !== undefined) new LogShipping(named('logs'), { host, after: [snapshots], spec: logs }, opts);
  // Last: a nameserver that cannot be made must not keep the site from serving. The others answer meanwhile.
  const dns =
    spec.dns === undefined
      ? undefined
      : new FailoverDns(
          named('dns'),
          { provider: new PowerDns({ host, after: [snapshots], spec: spec.dns }) },
          opts,
        );
  return { vectors, nameservers: dns?.nameservers };
}

/** The site's account at an object store that the witness's stack made. */
function storeAccount(witness: WitnessReference) {
  const account = witness.storeAccount();
  return {
    'store-access-key': account.apply(({ accessKey }) => accessKey),
    'store-secret-key': account.apply(({ secretKey }) => secretKey),
  };
}

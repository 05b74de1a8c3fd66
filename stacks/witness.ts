import type * as pulumi from '@pulumi/pulumi';
import { FailoverDns } from '../components/failover-dns';
import { HostFirewall } from '../components/host-firewall';
import { PowerDns } from '../components/power-dns';
import { Server } from '../components/server';
import { ServerCredentials } from '../components/server-credentials';
import { SharedSecrets } from '../components/shared-secrets';
import { Witness } from '../components/witness';
import type { AgentBundle } from '../infra/bundle';
import type { WitnessConfig } from '../infra/config';
import type { WitnessOutputs } from '../infra/contract/stack-outputs';
import { storeEndpoint } from '../infra/specs/names';
import { storeAccountsFile, witnessSections } from '../infra/specs/witness';
import { declareZone } from './dns';
import type { AsInputs } from './outputs';
import { serverArgs } from './server-args';

/** The witness: the shared secrets, the object store that holds the lease, and the nameserver. */
export async function declareWitness(
  config: WitnessConfig,
  bundle: AgentBundle,
): Promise<AsInputs<WitnessOutputs>> {
  const { settings, server } = config;
  // All of it or nothing: a destroy that stops at what holds data would have taken the nameserver away by then.
  const opts = { protect: settings.protectData };
  const spec = witnessSections(settings);

  const secrets = new SharedSecrets('secrets', { sites: spec.objectStore.sites });
  const host = new Server(server.name, serverArgs(config, 'witness', bundle));
  const credentials = new ServerCredentials(
    'credentials',
    {
      host,
      after: [],
      credentials: {
        'store-root-secret': secrets.storeRootSecret,
        'store-accounts': secrets.storeAccounts.apply(storeAccountsFile),
        'tsig-key': secrets.tsigKey,
        ...config.secrets.tls,
      },
    },
    opts,
  );
  const firewall = new HostFirewall('firewall', { host, after: [credentials], spec: spec.firewall }, opts);
  const store = new Witness('object-store', { host, after: [firewall], spec: spec.objectStore }, opts);
  const zone =
    settings.dnsProvider === 'powerdns'
      ? ownZone(new PowerDns({ host, after: [store], spec: spec.dns }), opts)
      : (await declareZone(config)).outputs;

  return {
    kind: 'witness',
    zone: settings.zone,
    serviceHost: settings.serviceHost,
    servers: [{ name: server.name, address: server.address }],
    ...zone,
    storeEndpoint: storeEndpoint(settings.witnessHost),
    storeRegion: spec.objectStore.region,
    leaseBucket: spec.objectStore.leaseBucket,
    snapshotBucket: spec.objectStore.snapshotBucket,
    clientKey: secrets.clientKey,
    operatorKey: secrets.operatorKey,
    peerKey: secrets.peerKey,
    qdrantKey: secrets.qdrantKey,
    vllmKey: secrets.vllmKey,
    repositoryKey: secrets.repositoryKey,
    tsigKey: secrets.tsigKey,
    storeAccounts: secrets.storeAccounts,
  };
}

/** The zone that the witness's own nameserver answers for, and the dedicated sites' with it. */
function ownZone(provider: PowerDns, opts: pulumi.ComponentResourceOptions): { nameservers: string[] } {
  return { nameservers: [...new FailoverDns('dns', { provider }, opts).nameservers] };
}

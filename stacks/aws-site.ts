import * as aws from '@pulumi/aws';
import { RandomPassword } from '@pulumi/random';
import { DesiredServers } from '../components/aws/desired-servers';
import { GpuInstance } from '../components/aws/gpu-instance';
import { checkOfferings, zonesFor } from '../components/aws/offerings';
import { ReplicatedSecrets } from '../components/aws/replicated-secrets';
import { SecureBucket } from '../components/aws/secure-bucket';
import { ServerRole } from '../components/aws/server-role';
import { SiteNetwork } from '../components/aws/site-network';
import { renderUserData } from '../infra/aws/user-data';
import type { AgentBundle } from '../infra/bundle';
import type { AwsSiteConfig } from '../infra/config';
import { siteRegionsOf } from '../infra/config/names';
import { ServerSpec } from '../infra/contract/site-spec';
import type { SiteOutputs } from '../infra/contract/stack-outputs';
import { edgeCidrs, siblingCidrs } from '../infra/specs/firewall';
import { logsSpec } from '../infra/specs/logs';
import { siteSections } from '../infra/specs/site';
import { sectionsOn, siteServers } from '../infra/specs/site-servers';
import { declareSiteRecord } from './dns';
import type { AsInputs } from './outputs';
import { Protection } from './protection';
import { siteOutputs } from './site-outputs';
import { type AwsFacts, readWitness } from './witness-reference';

/** A site on EC2: nobody logs in to its servers; they fetch what they should be from the site's bucket. */
export async function declareAwsSite(
  config: AwsSiteConfig,
  bundle: AgentBundle,
): Promise<AsInputs<SiteOutputs>> {
  const { settings, own, peer, caCertificate } = config;
  const { awsInstanceType: instanceType, awsNamePrefix: prefix } = settings;
  const { region } = own;
  await checkOfferings({ instanceType, modelGib: settings.modelGib, regions: siteRegionsOf(settings) });
  const zones = await zonesFor(region, instanceType);
  const witness = await readWitness(settings.witnessStack, {
    site: own.site,
    zone: settings.zone,
    serviceHost: settings.serviceHost,
  });
  const facts = witness.aws();
  const servers = siteServers(
    own,
    own.addresses.map((_, index) => `${own.site}-${index + 1}`),
  );
  const known = { settings, own, peer, caCertificate, witness: witness.facts, servers: servers.length };
  const sections = siteSections(known);

  const opts = { protect: settings.protectData };
  const key = new aws.kms.Key(
    'site-key',
    {
      region,
      description: `Disks and releases of ${prefix} ${own.site}`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
    },
    opts,
  );
  const bucket = new SecureBucket(
    'deploy',
    {
      bucket: `${prefix}-${own.site}-deploy-${facts.accountId}`,
      region,
      kmsKeyArn: key.arn,
      transientPrefix: 'status/',
      emptyOnDestroy: !settings.protectData,
    },
    opts,
  );
  const replicated = ownSecrets(config, facts);
  const secrets = { ...facts.secretsIn(region), ...replicated.secretArns };
  const role = new ServerRole('servers', {
    site: own.site,
    ...facts.store,
    deployBucketArn: bucket.arn,
    deployKeyArn: key.arn,
    secretArns: Object.values(secrets),
    secretsKeyArn: facts.secretsKeyArn(region),
    logs: Object.values(facts.logs),
  });
  const logs = logsSpec(facts.logs, 'instance');
  const desired = new DesiredServers('desired', {
    bucket: bucket.name,
    region,
    bundle,
    specs: servers.map((server) =>
      ServerSpec.parse({
        schemaVersion: 1,
        server: { site: own.site, name: server.name },
        ...sectionsOn(sections, servers, server),
        logs,
      }),
    ),
    secrets,
  });
  const network = new SiteNetwork('network', {
    region,
    cidr: settings.awsVpcCidr,
    zones,
    clientCidrs: edgeCidrs(settings, peer.addresses, siblingCidrs(own, servers.length)),
    siblingCidrs: siblingCidrs(own, servers.length),
  });
  const instances = servers.map(
    ({ name, address }, index) =>
      new GpuInstance(
        name,
        {
          server: name,
          region,
          zone: zones[index % 2] ?? zones[0],
          subnetId: network.subnetIds[index % 2] ?? '',
          securityGroupId: network.securityGroupId,
          instanceProfileName: role.instanceProfileName,
          instanceType,
          ami: settings.awsAmi,
          userData: bucket.name.apply((bucketName) =>
            renderUserData({ bucket: bucketName, region, server: name }),
          ),
          kmsKeyArn: key.arn,
          rootVolumeGib: settings.awsRootVolumeGib,
          dataVolumeGib: settings.awsDataVolumeGib,
          address,
          protectFromTermination: settings.protectData,
          reserveCapacity: settings.awsReserveCapacity,
        },
        // Its first boot asks for what it should be.
        { ...opts, dependsOn: [desired] },
      ),
  );
  const record = declareSiteRecord(config, witness.facts);
  new Protection(settings.protectData, [bucket, replicated, role, desired, network, ...instances, ...record]);
  return siteOutputs(config, { servers, configHash: sections.agent.parity.configHash });
}

/** Between the parts of one server. Each site has its own, so that rotating one never restarts both sites' engines at once. */
const localKey = (role: string) => new RandomPassword(`local-${role}`, { length: 48, special: false }).result;

/** The site's certificate and keys, and what its agent calls others with, beside the shared secrets and under the same keys. */
function ownSecrets(config: AwsSiteConfig, facts: AwsFacts): ReplicatedSecrets {
  const { settings, own, secrets } = config;
  const replicaRegion = facts.otherRegion(own.region);
  return new ReplicatedSecrets('own-secrets', {
    prefix: `${settings.awsNamePrefix}/${own.site}`,
    region: own.region,
    replicaRegion,
    keys: { keyArn: facts.secretsKeyArn(own.region), replicaKeyArn: facts.secretsKeyArn(replicaRegion) },
    values: {
      ...secrets.tls,
      ...secrets.outward,
      'qdrant-key': localKey('qdrant'),
      'vllm-key': localKey('vllm'),
    },
    protect: settings.protectData,
  });
}

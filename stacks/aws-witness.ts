import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { ReplicatedSecrets } from '../components/aws/replicated-secrets';
import { SecureBucket } from '../components/aws/secure-bucket';
import { StoreUser } from '../components/aws/store-access';
import { SharedSecrets } from '../components/shared-secrets';
import type { AwsWitnessConfig } from '../infra/config';
import { siteRegionsOf } from '../infra/config/names';
import type { WitnessOutputs } from '../infra/contract/stack-outputs';
import { s3Endpoint } from '../infra/specs/names';
import { declareZone } from './dns';
import type { AsInputs } from './outputs';
import { Protection } from './protection';

/** S3's own minimum. */
const INFREQUENT_ACCESS_DAYS = 30;

/** An ARN in another region; a replica of a secret differs from it in nothing else. */
function inRegion(arn: string, region: string): string {
  const [prefix, partition, service, , ...rest] = arn.split(':');
  return [prefix, partition, service, region, ...rest].join(':');
}

/**
 * The witness without a server: the lease and the publishes in a third region's S3, and the shared secrets in both
 * sites' regions. A failover calls nothing of it but S3's data plane.
 */
export async function declareAwsWitness(config: AwsWitnessConfig): Promise<AsInputs<WitnessOutputs>> {
  const { settings } = config;
  const { witnessRegion: region, awsNamePrefix: prefix } = settings;
  const opts = { protect: settings.protectData };
  const { accountId } = await aws.getCallerIdentity({});

  const shared = new SharedSecrets('secrets', { sites: [] });
  const key = new aws.kms.Key(
    'store-key',
    {
      region,
      description: `Lease and publishes of ${prefix}`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
    },
    opts,
  );
  const bucket = (role: string) =>
    new SecureBucket(
      role,
      {
        bucket: `${prefix}-${role}-${accountId}`,
        region,
        kmsKeyArn: key.arn,
        emptyOnDestroy: !settings.protectData,
      },
      opts,
    );
  const lease = bucket('lease');
  const snapshots = bucket('snapshots');
  const store = { leaseBucketArn: lease.arn, snapshotBucketArn: snapshots.arn, storeKeyArn: key.arn };
  const secrets = replicate(config, shared);
  const logs = logBuckets(config, accountId, secrets.keys);
  const accounts = settings.sites
    .filter(({ platform }) => platform !== 'aws')
    .map(({ site }): [string, StoreUser] => [
      site,
      new StoreUser(
        `store-${site}`,
        { ...store, site, userName: `${prefix}-${site}`, logs: Object.values(logs.byRegion) },
        opts,
      ),
    ]);

  const zone = await declareZone(config);
  new Protection(settings.protectData, [
    shared,
    lease,
    snapshots,
    ...accounts.map(([, account]) => account),
    ...secrets.resources,
    ...logs.resources,
    ...zone.resources,
  ]);

  return {
    kind: 'witness',
    zone: settings.zone,
    serviceHost: settings.serviceHost,
    servers: [],
    ...zone.outputs,
    storeEndpoint: s3Endpoint(region),
    storeRegion: region,
    leaseBucket: lease.name,
    snapshotBucket: snapshots.name,
    aws: pulumi.output({
      accountId,
      namePrefix: prefix,
      ...store,
      logs: logs.byRegion,
      secrets: secrets.byRegion,
    }),
    clientKey: shared.clientKey,
    operatorKey: shared.operatorKey,
    peerKey: shared.peerKey,
    qdrantKey: shared.qdrantKey,
    vllmKey: shared.vllmKey,
    repositoryKey: shared.repositoryKey,
    tsigKey: shared.tsigKey,
    storeAccounts: pulumi.secret(
      Object.fromEntries(
        accounts.map(([site, { accessKey, secretKey }]) => [site, { accessKey, secretKey }]),
      ),
    ),
  };
}

/** The shared secrets where servers on AWS read them: in the regions of both sites, or of the one and the witness. */
function replicate(config: AwsWitnessConfig, shared: SharedSecrets) {
  const { settings } = config;
  const [region, replicaRegion = settings.witnessRegion] = siteRegionsOf(settings);
  if (region === undefined) return { byRegion: {}, keys: {}, resources: [] };
  const secrets = new ReplicatedSecrets('replicated-secrets', {
    prefix: settings.awsNamePrefix,
    region,
    replicaRegion,
    values: {
      'client-key': shared.clientKey,
      'operator-key': shared.operatorKey,
      'peer-key': shared.peerKey,
      'repository-key': shared.repositoryKey,
    },
    protect: settings.protectData,
  });
  const arnsIn = (where: string) =>
    pulumi
      .output(secrets.secretArns)
      .apply((arns) =>
        Object.fromEntries(Object.entries(arns).map(([name, arn]) => [name, inRegion(arn, where)])),
      );
  return {
    byRegion: {
      [region]: { keyArn: secrets.keyArn, arns: arnsIn(region) },
      [replicaRegion]: { keyArn: secrets.replicaKeyArn, arns: arnsIn(replicaRegion) },
    },
    keys: { [region]: secrets.keyArn, [replicaRegion]: secrets.replicaKeyArn },
    resources: [secrets],
  };
}

/** A bucket for logs in each region that has the keys: all servers write to both, so that one can be read when the other is gone. */
function logBuckets(
  { settings }: AwsWitnessConfig,
  accountId: string,
  keys: Readonly<Record<string, pulumi.Output<string>>>,
) {
  const { awsNamePrefix: prefix, awsLogRetentionDays, awsLogLockDays, protectData } = settings;
  const made = Object.entries(keys).map(([region, keyArn]) => {
    const bucket = new SecureBucket(
      `logs-${region}`,
      {
        bucket: `${prefix}-logs-${region}-${accountId}`,
        region,
        kmsKeyArn: keyArn,
        infrequentAccessDays: INFREQUENT_ACCESS_DAYS,
        expirationDays: awsLogRetentionDays,
        // What a server overwrites stays as an older version for as long.
        noncurrentDays: awsLogRetentionDays,
        ...(awsLogLockDays === 0 ? {} : { lockDays: awsLogLockDays }),
        emptyOnDestroy: !protectData,
      },
      { protect: protectData },
    );
    return { region, keyArn, bucket };
  });
  return {
    byRegion: Object.fromEntries(
      made.map(({ region, keyArn, bucket }) => [
        region,
        { bucket: bucket.name, bucketArn: bucket.arn, keyArn },
      ]),
    ),
    resources: made.map(({ bucket }) => bucket),
  };
}

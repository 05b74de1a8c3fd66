import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { ReplicatedSecrets } from '../components/aws/replicated-secrets';
import { SecureBucket } from '../components/aws/secure-bucket';
import { SharedSecrets } from '../components/shared-secrets';
import type { AwsWitnessConfig } from '../infra/config';
import type { WitnessOutputs } from '../infra/contract/stack-outputs';
import type { AsInputs } from './outputs';

/** S3's own address in a region; requests to it never leave that region's data plane. */
export const s3Endpoint = (region: string): string => `https://s3.${region}.amazonaws.com`;

/** An ARN in another region; a replica of a secret differs from it in nothing else. */
const inRegion = (arn: string, region: string): string => arn.split(':').toSpliced(3, 1, region).join(':');

/**
 * The witness without a server: the lease and the publishes in a third region's S3, the zone, the shared secrets in both
 * sites' regions, and the topic of the alarms. Nothing of it is called by a failover but S3's data plane.
 */
export async function declareAwsWitness(config: AwsWitnessConfig): Promise<AsInputs<WitnessOutputs>> {
  const { settings } = config;
  const { awsRegion: region, awsNamePrefix: prefix, awsSecretsRegion, awsSecretsReplicaRegion } = settings;
  const opts = { protect: settings.protectData };
  const { accountId } = await aws.getCallerIdentity({});

  const shared = new SharedSecrets('secrets', { sites: [] }, opts);
  const keys = {
    'client-key': shared.clientKey,
    'operator-key': shared.operatorKey,
    'peer-key': shared.peerKey,
    'qdrant-key': shared.qdrantKey,
    'vllm-key': shared.vllmKey,
  };
  const secrets = new ReplicatedSecrets(
    'replicated-secrets',
    { prefix, region: awsSecretsRegion, replicaRegion: awsSecretsReplicaRegion, values: keys },
    opts,
  );
  const storeKey = new aws.kms.Key(
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
      { bucket: `${prefix}-${role}-${accountId}`, region, kmsKeyArn: storeKey.arn },
      opts,
    );
  const lease = bucket('lease');
  const snapshots = bucket('snapshots');
  const zone =
    settings.route53ZoneId === ''
      ? new aws.route53.Zone('zone', { name: settings.zone, comment: `Made by ${prefix}` }, opts)
      : aws.route53.Zone.get('zone', settings.route53ZoneId);
  // Health check metrics exist in us-east-1 only, and an alarm's topic must be where the alarm is.
  const topic = new aws.sns.Topic('alerts', { region: 'us-east-1', name: `${prefix}-alerts` });
  for (const email of settings.alertEmails)
    new aws.sns.TopicSubscription(`alerts-${email}`, {
      region: 'us-east-1',
      topic: topic.arn,
      protocol: 'email',
      endpoint: email,
    });

  const arnsIn = (where: string) =>
    pulumi
      .output(secrets.secretArns)
      .apply((arns) =>
        Object.fromEntries(Object.entries(arns).map(([name, arn]) => [name, inRegion(arn, where)])),
      );
  return {
    kind: 'witness',
    zone: settings.zone,
    serviceHost: settings.serviceHost,
    servers: [],
    nameservers: zone.nameServers,
    storeEndpoint: s3Endpoint(region),
    storeRegion: region,
    leaseBucket: lease.name,
    snapshotBucket: snapshots.name,
    aws: {
      accountId,
      namePrefix: prefix,
      zoneId: zone.zoneId,
      alertTopicArn: topic.arn,
      leaseBucketArn: lease.arn,
      snapshotBucketArn: snapshots.arn,
      storeKeyArn: storeKey.arn,
      secrets: {
        [awsSecretsRegion]: { keyArn: secrets.keyArn, arns: arnsIn(awsSecretsRegion) },
        [awsSecretsReplicaRegion]: { keyArn: secrets.replicaKeyArn, arns: arnsIn(awsSecretsReplicaRegion) },
      },
    },
    clientKey: shared.clientKey,
    operatorKey: shared.operatorKey,
    peerKey: shared.peerKey,
    qdrantKey: shared.qdrantKey,
    vllmKey: shared.vllmKey,
    tsigKey: shared.tsigKey,
    storeAccounts: shared.storeAccounts,
  };
}

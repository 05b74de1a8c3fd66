import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

export interface ServerRoleArgs {
  /** The site's own bucket: releases, specs, status and its publishes. */
  readonly ownBucketArn: pulumi.Input<string>;
  /** The other site's bucket: read, never written. */
  readonly peerBucketArn: pulumi.Input<string>;
  readonly leaseBucketArn: pulumi.Input<string>;
  /** Every secret that servers of this site read, in this site's region. */
  readonly secretArns: readonly pulumi.Input<string>[];
  /** Keys of the secrets and buckets above. */
  readonly kmsKeyArns: readonly pulumi.Input<string>[];
}

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});
/** Session Manager in place of SSH. */
const SSM_POLICY = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore';

/**
 * What a site's servers may do, by exact ARNs. Neither site can delete or overwrite the other's publishes; both may
 * change the lease, whose object only ever changes by compare-and-swap.
 */
export class ServerRole extends pulumi.ComponentResource {
  readonly roleArn: pulumi.Output<string>;
  readonly instanceProfileName: pulumi.Output<string>;

  constructor(name: string, args: ServerRoleArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:ServerRole', name, {}, opts);
    const child = { parent: this };
    const role = new aws.iam.Role(
      name,
      {
        description: `Servers of ${name}: their own data, the lease, and reading the peer's`,
        assumeRolePolicy: TRUST,
      },
      child,
    );
    this.roleArn = role.arn;
    new aws.iam.RolePolicy(
      `${name}-policy`,
      {
        role: role.name,
        policy: pulumi.jsonStringify({ Version: '2012-10-17', Statement: statements(args) }),
      },
      child,
    );
    new aws.iam.RolePolicyAttachment(`${name}-ssm`, { role: role.name, policyArn: SSM_POLICY }, child);
    const profile = new aws.iam.InstanceProfile(`${name}-profile`, { role: role.name }, child);
    this.instanceProfileName = profile.name;
    this.registerOutputs({ roleArn: this.roleArn, instanceProfileName: this.instanceProfileName });
  }
}

function statements(args: ServerRoleArgs): object[] {
  const within = (arn: pulumi.Input<string>, prefix: string) => pulumi.interpolate`${arn}/${prefix}*`;
  const allow = (Sid: string, Action: readonly string[], Resource: readonly pulumi.Input<string>[]) => ({
    Sid,
    Effect: 'Allow',
    Action,
    Resource,
  });
  return [
    allow(
      'ReadDesiredState',
      ['s3:GetObject'],
      ['bundles/', 'specs/', 'desired/'].map((prefix) => within(args.ownBucketArn, prefix)),
    ),
    allow('WriteStatus', ['s3:PutObject'], [within(args.ownBucketArn, 'status/')]),
    allow(
      'OwnPublishes',
      ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
      [within(args.ownBucketArn, 'publishes/')],
    ),
    allow('PeerPublishes', ['s3:GetObject'], [within(args.peerBucketArn, 'publishes/')]),
    allow('ListBuckets', ['s3:ListBucket'], [args.ownBucketArn, args.peerBucketArn, args.leaseBucketArn]),
    // No deletion: the lease's history stays.
    allow('Lease', ['s3:GetObject', 's3:PutObject'], [within(args.leaseBucketArn, '')]),
    allow('ReadSecrets', ['secretsmanager:GetSecretValue'], args.secretArns),
    allow('UseKeys', ['kms:Decrypt', 'kms:GenerateDataKey'], args.kmsKeyArns),
  ];
}

import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

/** The object store as an account's policy names it. */
export interface ObjectStoreArns {
  readonly leaseBucketArn: pulumi.Input<string>;
  readonly snapshotBucketArn: pulumi.Input<string>;
  /** Key that both buckets' objects are encrypted with. */
  readonly storeKeyArn: pulumi.Input<string>;
}

/** A statement that allows; `Sid` in letters and digits. */
export const allow = (
  Sid: string,
  Action: readonly string[],
  Resource: readonly pulumi.Input<string>[],
): object => ({ Sid, Effect: 'Allow', Action, Resource });

/**
 * What a site may do at the object store. It can neither delete nor overwrite the other's publishes; the lease may be
 * written by both, whose object only ever changes by compare-and-swap, and its history is deleted by nobody.
 */
export function storeStatements(site: string, store: ObjectStoreArns): object[] {
  const { leaseBucketArn: lease, snapshotBucketArn: snapshots } = store;
  return [
    // The last: who leads a site of several servers, and what it remembers, is that site's own affair.
    allow(
      'Lease',
      ['s3:GetObject', 's3:PutObject'],
      ['lease.json', 'history/*', `leaders/${site}.json`].map((key) => pulumi.interpolate`${lease}/${key}`),
    ),
    allow('ReadPublishes', ['s3:GetObject'], [pulumi.interpolate`${snapshots}/*`]),
    allow(
      'OwnPublishes',
      ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
      [pulumi.interpolate`${snapshots}/${site}/*`],
    ),
    allow('PointToLatest', ['s3:PutObject'], [pulumi.interpolate`${snapshots}/latest`]),
    allow('ListStore', ['s3:ListBucket'], [lease, snapshots]),
    allow('UseStoreKey', ['kms:Decrypt', 'kms:GenerateDataKey'], [store.storeKeyArn]),
  ];
}

/** Where a site's servers ship their logs, and may do nothing else. */
export interface LogBucketArns {
  readonly bucketArn: pulumi.Input<string>;
  readonly keyArn: pulumi.Input<string>;
}

/** A server adds to its site's logs and can neither read nor change what is there. */
export const logStatements = (site: string, logs: readonly LogBucketArns[]): object[] =>
  logs.length === 0
    ? []
    : [
        allow(
          'ShipLogs',
          // Debian's rclone names an ACL with every object, which takes the second; the buckets' ACLs are off.
          ['s3:PutObject', 's3:PutObjectAcl'],
          logs.map(({ bucketArn }) => pulumi.interpolate`${bucketArn}/logs/${site}/*`),
        ),
        allow(
          'UseLogKeys',
          ['kms:GenerateDataKey', 'kms:Decrypt'],
          logs.map(({ keyArn }) => keyArn),
        ),
      ];

export interface StoreUserArgs extends ObjectStoreArns {
  readonly userName: string;
  readonly site: string;
  readonly logs: readonly LogBucketArns[];
}

/** An account at the object store for a site outside of AWS, whose servers have no role to take on. */
export class StoreUser extends pulumi.ComponentResource {
  readonly accessKey: pulumi.Output<string>;
  /** Secret. */
  readonly secretKey: pulumi.Output<string>;

  constructor(name: string, args: StoreUserArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:StoreUser', name, {}, opts);
    const child = { parent: this };
    const user = new aws.iam.User(name, { name: args.userName }, child);
    new aws.iam.UserPolicy(
      `${name}-policy`,
      {
        user: user.name,
        policy: pulumi.jsonStringify({
          Version: '2012-10-17',
          Statement: [...storeStatements(args.site, args), ...logStatements(args.site, args.logs)],
        }),
      },
      child,
    );
    const key = new aws.iam.AccessKey(
      `${name}-key`,
      { user: user.name },
      { ...child, additionalSecretOutputs: ['secret'] },
    );
    this.accessKey = key.id;
    this.secretKey = pulumi.secret(key.secret);
    this.registerOutputs({ accessKey: this.accessKey });
  }
}

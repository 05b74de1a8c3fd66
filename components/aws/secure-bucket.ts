import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: '*' | { readonly AWS: pulumi.Input<string> | readonly pulumi.Input<string>[] };
  readonly Action: readonly string[];
  readonly Resource: pulumi.Input<string> | readonly pulumi.Input<string>[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export interface SecureBucketArgs {
  /** Name in the global namespace of buckets. */
  readonly bucket: string;
  readonly region: string;
  /** KMS key in that region that encrypts every object. */
  readonly kmsKeyArn: pulumi.Input<string>;
  /** Days after which a version that was overwritten or deleted is gone for good. @default 30 */
  readonly noncurrentDays?: number;
  /**
   * Days after which objects move to infrequent access; at least 30, S3's own minimum. Absent: they never do.
   */
  readonly infrequentAccessDays?: number;
  /** Days after which an object is gone. Absent: objects stay. */
  readonly expirationDays?: number;
  /** Days for which no version can be deleted by anyone, the account's root included. Absent: no object lock. */
  readonly lockDays?: number;
  /** Objects that are written over and over, whose old versions nobody will want after a day. */
  readonly transientPrefix?: string;
  /** Let a destroy take the bucket with what is in it. @default false: it is refused while there is anything */
  readonly emptyOnDestroy?: boolean;
  /** What others may do, beside the owner's own policies. TLS is demanded in any case. */
  readonly statements?: (bucketArn: pulumi.Output<string>) => readonly PolicyStatement[];
}

const NONCURRENT_DAYS = 30;
/** An upload that was not finished by then never will be. */
const ABORT_UPLOAD_DAYS = 2;

/** A bucket as every one of ours is: versioned, encrypted, closed to the public, TLS only, and tidied up. */
export class SecureBucket extends pulumi.ComponentResource {
  readonly name: pulumi.Output<string>;
  readonly arn: pulumi.Output<string>;

  constructor(name: string, args: SecureBucketArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:SecureBucket', name, {}, opts);
    const { region } = args;
    const child = { parent: this };
    const bucket = new aws.s3.Bucket(
      name,
      {
        bucket: args.bucket,
        region,
        objectLockEnabled: args.lockDays !== undefined,
        forceDestroy: args.emptyOnDestroy ?? false,
      },
      child,
    );
    this.name = bucket.bucket;
    this.arn = bucket.arn;
    const of = { bucket: bucket.bucket, region };
    const versioning = new aws.s3.BucketVersioning(
      `${name}-versioning`,
      { ...of, versioningConfiguration: { status: 'Enabled' } },
      child,
    );
    new aws.s3.BucketServerSideEncryptionConfiguration(
      `${name}-encryption`,
      {
        ...of,
        rules: [
          {
            applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: args.kmsKeyArn },
            bucketKeyEnabled: true,
          },
        ],
      },
      child,
    );
    new aws.s3.BucketOwnershipControls(
      `${name}-ownership`,
      { ...of, rule: { objectOwnership: 'BucketOwnerEnforced' } },
      child,
    );
    const closed = new aws.s3.BucketPublicAccessBlock(
      `${name}-closed`,
      {
        ...of,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      child,
    );
    new aws.s3.BucketPolicy(
      `${name}-policy`,
      { ...of, policy: this.policy(args) },
      { ...child, dependsOn: [closed] },
    );
    new aws.s3.BucketLifecycleConfiguration(
      `${name}-lifecycle`,
      { ...of, rules: lifecycleRules(args) },
      { ...child, dependsOn: [versioning] },
    );
    if (args.lockDays !== undefined) {
      new aws.s3.BucketObjectLockConfiguration(
        `${name}-lock`,
        { ...of, rule: { defaultRetention: { mode: 'COMPLIANCE', days: args.lockDays } } },
        { ...child, dependsOn: [versioning] },
      );
    }
    this.registerOutputs({ name: this.name, arn: this.arn });
  }

  private policy(args: SecureBucketArgs): pulumi.Output<string> {
    const tlsOnly: PolicyStatement = {
      Sid: 'TlsOnly',
      Effect: 'Deny',
      Principal: '*',
      Action: ['s3:*'],
      Resource: [this.arn, pulumi.interpolate`${this.arn}/*`],
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    };
    return pulumi.jsonStringify({
      Version: '2012-10-17',
      Statement: [tlsOnly, ...(args.statements?.(this.arn) ?? [])],
    });
  }
}

type LifecycleRules = NonNullable<aws.s3.BucketLifecycleConfigurationArgs['rules']>;

function lifecycleRules({
  noncurrentDays,
  infrequentAccessDays,
  expirationDays,
  transientPrefix,
}: SecureBucketArgs): LifecycleRules {
  const tidy = {
    id: 'tidy',
    status: 'Enabled',
    filter: { prefix: '' },
    noncurrentVersionExpiration: { noncurrentDays: noncurrentDays ?? NONCURRENT_DAYS },
    abortIncompleteMultipartUpload: { daysAfterInitiation: ABORT_UPLOAD_DAYS },
  };
  const transient = {
    id: 'transient',
    status: 'Enabled',
    filter: { prefix: transientPrefix ?? '' },
    noncurrentVersionExpiration: { noncurrentDays: 1 },
  };
  const tiers =
    infrequentAccessDays === undefined
      ? {}
      : { transitions: [{ days: infrequentAccessDays, storageClass: 'STANDARD_IA' }] };
  const end = expirationDays === undefined ? {} : { expiration: { days: expirationDays } };
  return [{ ...tidy, ...tiers, ...end }, ...(transientPrefix === undefined ? [] : [transient])];
}

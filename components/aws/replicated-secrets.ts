import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

export interface ReplicatedSecretsArgs {
  /** First part of every secret's name, such as `failover`. */
  readonly prefix: string;
  /** Where the secrets are written: the primary's region. */
  readonly region: string;
  /** Where Secrets Manager keeps copies of them: the standby's region. */
  readonly replicaRegion: string;
  /** By name. */
  readonly values: Readonly<Record<string, pulumi.Input<string>>>;
  /** Refuse to delete keys and secrets. Not their versions, which a rotation replaces: do not protect the component. */
  readonly protect: boolean;
  /** Multi-region keys of both regions that exist already; absent: a pair of its own. */
  readonly keys?: KeyPair;
}

export interface KeyPair {
  readonly keyArn: pulumi.Input<string>;
  readonly replicaKeyArn: pulumi.Input<string>;
}

/** Longer than any rotation; a deleted secret can be had back for so long. AWS allows 7 to 30. */
const RECOVERY_DAYS = 30;

/**
 * Secrets in both regions, each readable when the other region is gone: one customer-managed multi-region key with a
 * replica, and a replica of every secret under it. A new value becomes AWSCURRENT, the one before it stays readable as
 * AWSPREVIOUS, which is what servers accept beside it during a rotation.
 */
export class ReplicatedSecrets extends pulumi.ComponentResource {
  /** The key in `region`. */
  readonly keyArn: pulumi.Output<string>;
  /** Its replica in `replicaRegion`. */
  readonly replicaKeyArn: pulumi.Output<string>;
  /** Of each secret in `region`, by name; replicas differ in the region only. */
  readonly secretArns: Readonly<Record<string, pulumi.Output<string>>>;

  constructor(name: string, args: ReplicatedSecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:ReplicatedSecrets', name, {}, opts);
    const child = { parent: this };
    const kept = { ...child, protect: args.protect };
    const { prefix, region, replicaRegion } = args;
    const keys = args.keys ?? this.makeKeys(name, args);
    this.keyArn = pulumi.output(keys.keyArn);
    this.replicaKeyArn = pulumi.output(keys.replicaKeyArn);
    this.secretArns = Object.fromEntries(
      Object.entries(args.values).map(([secretName, value]) => {
        const secret = new aws.secretsmanager.Secret(
          `${name}-${secretName}`,
          {
            region,
            name: `${prefix}/${secretName}`,
            kmsKeyId: this.keyArn,
            replicas: [{ region: replicaRegion, kmsKeyId: this.replicaKeyArn }],
            recoveryWindowInDays: RECOVERY_DAYS,
            // A replica that exists already is somebody's: never overwritten.
            forceOverwriteReplicaSecret: false,
          },
          kept,
        );
        new aws.secretsmanager.SecretVersion(
          `${name}-${secretName}-value`,
          { region, secretId: secret.id, secretString: pulumi.secret(value) },
          child,
        );
        return [secretName, secret.arn];
      }),
    );
    this.registerOutputs({ keyArn: this.keyArn, replicaKeyArn: this.replicaKeyArn });
  }
  private makeKeys(name: string, args: ReplicatedSecretsArgs): KeyPair {
    const { prefix, region, replicaRegion } = args;
    const kept = { parent: this, protect: args.protect };
    const description = `Secrets of ${prefix}`;
    const key = new aws.kms.Key(
      `${name}-key`,
      {
        region,
        description,
        multiRegion: true,
        enableKeyRotation: true,
        deletionWindowInDays: RECOVERY_DAYS,
      },
      kept,
    );
    const replica = new aws.kms.ReplicaKey(
      `${name}-key-replica`,
      {
        region: replicaRegion,
        description,
        primaryKeyArn: key.arn,
        deletionWindowInDays: RECOVERY_DAYS,
      },
      kept,
    );
    return { keyArn: key.arn, replicaKeyArn: replica.arn };
  }
}

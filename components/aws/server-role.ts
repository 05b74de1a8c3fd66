import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import {
  allow,
  type LogBucketArns,
  logStatements,
  type ObjectStoreArns,
  storeStatements,
} from './store-access';

export interface ServerRoleArgs extends ObjectStoreArns {
  readonly site: string;
  /** The site's own bucket of releases, specs and status. */
  readonly deployBucketArn: pulumi.Input<string>;
  /** Key that its objects are encrypted with. */
  readonly deployKeyArn: pulumi.Input<string>;
  /** Every secret that servers of this site read, in this site's region. */
  readonly secretArns: readonly pulumi.Input<string>[];
  /** Key of those secrets, in this site's region. */
  readonly secretsKeyArn: pulumi.Input<string>;
  readonly logs: readonly LogBucketArns[];
}

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
});
/** Session Manager in place of SSH. */
const SSM_POLICY = 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore';

/** What a site's servers may do, by exact ARNs: read what they should be, say what they are, and use the object store. */
export class ServerRole extends pulumi.ComponentResource {
  readonly roleArn: pulumi.Output<string>;
  readonly instanceProfileName: pulumi.Output<string>;

  constructor(name: string, args: ServerRoleArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:ServerRole', name, {}, opts);
    const child = { parent: this };
    const role = new aws.iam.Role(
      name,
      {
        description: `Servers of ${name}: what they should be, their secrets, the object store`,
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
  const within = (prefix: string) => pulumi.interpolate`${args.deployBucketArn}/${prefix}*`;
  return [
    allow('ReadDesiredState', ['s3:GetObject'], ['bundles/', 'specs/', 'desired/'].map(within)),
    allow('WriteStatus', ['s3:PutObject'], [within('status/')]),
    allow('UseDeployKey', ['kms:Decrypt', 'kms:GenerateDataKey'], [args.deployKeyArn]),
    allow('ReadSecrets', ['secretsmanager:GetSecretValue'], args.secretArns),
    allow('UseSecretsKey', ['kms:Decrypt'], [args.secretsKeyArn]),
    ...storeStatements(args.site, args),
    ...logStatements(args.site, args.logs),
  ];
}

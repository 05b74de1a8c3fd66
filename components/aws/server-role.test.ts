import { named, record } from '../testing/recording';
import { ServerRole } from './server-role';

const declare = () =>
  record(
    () =>
      void new ServerRole('uk-servers', {
        site: 'uk',
        deployBucketArn: 'arn:deploy',
        deployKeyArn: 'arn:deploy-key',
        snapshotBucketArn: 'arn:snapshots',
        leaseBucketArn: 'arn:lease',
        storeKeyArn: 'arn:store-key',
        secretArns: ['arn:secret'],
        secretsKeyArn: 'arn:secrets-key',
        logs: [
          { bucketArn: 'arn:logs-uk', keyArn: 'arn:key-uk' },
          { bucketArn: 'arn:logs-eu', keyArn: 'arn:key-eu' },
        ],
      }),
  );

interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: string[];
  readonly Resource: string[];
}

async function statements(): Promise<Statement[]> {
  const { resources } = await declare();
  const { policy } = named(resources, 'uk-servers-policy').inputs;
  return (JSON.parse(String(policy)) as { Statement: Statement[] }).Statement;
}

describe('ServerRole', () => {
  it('names what servers may do exactly', async () => {
    expect(
      Object.fromEntries((await statements()).map((each) => [each.Sid, [each.Action, each.Resource]])),
    ).toEqual({
      ReadDesiredState: [
        ['s3:GetObject'],
        ['arn:deploy/bundles/*', 'arn:deploy/specs/*', 'arn:deploy/desired/*'],
      ],
      WriteStatus: [['s3:PutObject'], ['arn:deploy/status/*']],
      UseDeployKey: [['kms:Decrypt', 'kms:GenerateDataKey'], ['arn:deploy-key']],
      ReadSecrets: [['secretsmanager:GetSecretValue'], ['arn:secret']],
      UseSecretsKey: [['kms:Decrypt'], ['arn:secrets-key']],
      Lease: [
        ['s3:GetObject', 's3:PutObject'],
        ['arn:lease/lease.json', 'arn:lease/history/*', 'arn:lease/leaders/uk.json'],
      ],
      ReadPublishes: [['s3:GetObject'], ['arn:snapshots/*']],
      OwnPublishes: [['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'], ['arn:snapshots/uk/*']],
      PointToLatest: [['s3:PutObject'], ['arn:snapshots/latest']],
      ListStore: [['s3:ListBucket'], ['arn:lease', 'arn:snapshots']],
      UseStoreKey: [['kms:Decrypt', 'kms:GenerateDataKey'], ['arn:store-key']],
      ShipLogs: [
        ['s3:PutObject', 's3:PutObjectAcl'],
        ['arn:logs-uk/logs/uk/*', 'arn:logs-eu/logs/uk/*'],
      ],
      UseLogKeys: [
        ['kms:GenerateDataKey', 'kms:Decrypt'],
        ['arn:key-uk', 'arn:key-eu'],
      ],
    });
  });

  it('lets nobody delete the lease, nor change what the peer published', async () => {
    const changing = (await statements()).filter(({ Action }) =>
      Action.some((action) => /^s3:(Put|Delete)/.test(action)),
    );
    expect(
      changing.flatMap(({ Resource }) => Resource).filter((arn) => arn.startsWith('arn:snapshots')),
    ).toEqual(['arn:snapshots/uk/*', 'arn:snapshots/latest']);
    const deleting = changing.filter(({ Action }) => Action.includes('s3:DeleteObject'));
    expect(deleting.map(({ Sid }) => Sid)).toEqual(['OwnPublishes']);
  });

  it('has no wildcard action or resource', async () => {
    for (const { Action, Resource, Effect } of await statements()) {
      expect(Effect).toBe('Allow');
      expect(Action.filter((action) => action.includes('*'))).toEqual([]);
      expect(Resource).not.toContain('*');
    }
  });

  it('gives the role to EC2 instances, with Session Manager in place of SSH', async () => {
    const { resources } = await declare();
    expect(
      JSON.parse(String(named(resources, 'uk-servers', 'aws:iam/role:Role').inputs['assumeRolePolicy'])),
    ).toMatchObject({
      Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    });
    expect(named(resources, 'uk-servers-ssm').inputs['policyArn']).toBe(
      'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore',
    );
  });
});

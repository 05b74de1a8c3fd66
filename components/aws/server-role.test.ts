import { named, record } from '../testing/recording';
import { ServerRole } from './server-role';

const declare = () =>
  record(
    () =>
      void new ServerRole('uk-servers', {
        ownBucketArn: 'arn:own',
        peerBucketArn: 'arn:peer',
        leaseBucketArn: 'arn:lease',
        secretArns: ['arn:secret'],
        kmsKeyArns: ['arn:key'],
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
      ReadDesiredState: [['s3:GetObject'], ['arn:own/bundles/*', 'arn:own/specs/*', 'arn:own/desired/*']],
      WriteStatus: [['s3:PutObject'], ['arn:own/status/*']],
      OwnPublishes: [
        ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
        ['arn:own/publishes/*'],
      ],
      PeerPublishes: [['s3:GetObject'], ['arn:peer/publishes/*']],
      ListBuckets: [['s3:ListBucket'], ['arn:own', 'arn:peer', 'arn:lease']],
      Lease: [['s3:GetObject', 's3:PutObject'], ['arn:lease/*']],
      ReadSecrets: [['secretsmanager:GetSecretValue'], ['arn:secret']],
      UseKeys: [['kms:Decrypt', 'kms:GenerateDataKey'], ['arn:key']],
    });
  });

  it('lets nobody delete or overwrite the publishes of the peer', async () => {
    const onPeer = (await statements()).filter(({ Resource }) =>
      Resource.some((arn) => arn.startsWith('arn:peer')),
    );
    expect(onPeer.flatMap(({ Action }) => Action).sort()).toEqual(['s3:GetObject', 's3:ListBucket']);
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

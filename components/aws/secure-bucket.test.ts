import { named, record } from '../testing/recording';
import { SecureBucket, type SecureBucketArgs } from './secure-bucket';

const ARGS: SecureBucketArgs = { bucket: 'acme-uk', region: 'eu-west-2', kmsKeyArn: 'arn:key' };
const declare = (more: Partial<SecureBucketArgs> = {}) =>
  record(() => void new SecureBucket('uk', { ...ARGS, ...more }, { protect: true }));
const OF = { bucket: 'acme-uk', region: 'eu-west-2' };

describe('SecureBucket', () => {
  it('declares the bucket and everything that closes it, protected', async () => {
    const { resources } = await declare();
    const inputs = Object.fromEntries(
      resources.map((each) => [each.name + ':' + each.type.split(':')[2], each.inputs]),
    );
    expect(inputs).toMatchObject({
      'uk:Bucket': { ...OF, objectLockEnabled: false, forceDestroy: false },
      'uk-versioning:BucketVersioning': { ...OF, versioningConfiguration: { status: 'Enabled' } },
      'uk-encryption:BucketServerSideEncryptionConfiguration': {
        ...OF,
        rules: [
          {
            applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: 'arn:key' },
            bucketKeyEnabled: true,
          },
        ],
      },
      'uk-ownership:BucketOwnershipControls': { ...OF, rule: { objectOwnership: 'BucketOwnerEnforced' } },
      'uk-closed:BucketPublicAccessBlock': {
        ...OF,
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      'uk-lifecycle:BucketLifecycleConfiguration': {
        ...OF,
        rules: [
          {
            id: 'tidy',
            status: 'Enabled',
            filter: { prefix: '' },
            noncurrentVersionExpiration: { noncurrentDays: 30 },
            abortIncompleteMultipartUpload: { daysAfterInitiation: 2 },
          },
        ],
      },
    });
    expect(resources.every((each) => each.protect)).toBe(true);
  });

  it('demands TLS, and adds what others may do', async () => {
    const read = {
      Sid: 'PeerReads',
      Effect: 'Allow',
      Principal: { AWS: 'arn:peer' },
      Action: ['s3:GetObject'],
      Resource: 'arn:uk/publishes/*',
    } as const;
    const { resources } = await declare({ statements: () => [read] });
    const policy = JSON.parse(String(named(resources, 'uk-policy').inputs['policy'])) as {
      Statement: object[];
    };
    expect(policy.Statement).toEqual([
      {
        Sid: 'TlsOnly',
        Effect: 'Deny',
        Principal: '*',
        Action: ['s3:*'],
        Resource: ['arn:uk', 'arn:uk/*'],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
      read,
    ]);
    expect(named(resources, 'uk-policy').dependencies).toContain('uk-closed');
  });

  it('moves old objects and locks them where it is told to', async () => {
    const { resources } = await declare({ infrequentAccessDays: 30, lockDays: 90 });
    expect(named(resources, 'uk', 'aws:s3/bucket:Bucket').inputs['objectLockEnabled']).toBe(true);
    expect(named(resources, 'uk-lock').inputs).toEqual({
      ...OF,
      rule: { defaultRetention: { mode: 'COMPLIANCE', days: 90 } },
    });
    expect(named(resources, 'uk-lifecycle').inputs['rules']).toMatchObject([
      { transitions: [{ days: 30, storageClass: 'STANDARD_IA' }] },
    ]);
  });
});

import { allowing, nameOf, texts } from './documents';
import { BUCKETS, settingRule } from './bucket-settings';
import { resourceRule } from './rule';
import { at, isObject, isSurelyNot, listOf, tell, UNKNOWN, type Values } from './values';

const KMS_ALGORITHMS = ['aws:kms', 'aws:kms:dsse'];
const CLOSED = ['blockPublicAcls', 'blockPublicPolicy', 'ignorePublicAcls', 'restrictPublicBuckets'];

const isPublic = ({ Principal, NotPrincipal }: Values): boolean =>
  NotPrincipal !== undefined ||
  texts(Principal).includes('*') ||
  (isObject(Principal) && Object.values(Principal).some((those) => texts(those).includes('*')));

export const bucketRules = [
  settingRule({
    name: 'buckets-encrypted',
    description: 'Every bucket encrypts what is written to it with KMS.',
    setting: 'BucketServerSideEncryptionConfiguration',
    types: [
      'aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration',
      'aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2',
    ],
    wrong: ({ rules }) => {
      if (rules === UNKNOWN) return undefined;
      const algorithms = listOf(rules).map((rule) =>
        at(rule, 'applyServerSideEncryptionByDefault', 'sseAlgorithm'),
      );
      const other = [...algorithms].find((algorithm) => isSurelyNot(algorithm, ...KMS_ALGORITHMS));
      if (algorithms.length > 0 && !algorithms.some((each) => isSurelyNot(each, ...KMS_ALGORITHMS)))
        return undefined;
      return `sseAlgorithm ${tell(other)}`;
    },
    expected: 'one with sseAlgorithm "aws:kms"',
    remedy: 'Use SecureBucket, or declare one with the KMS key of the region',
  }),
  settingRule({
    name: 'buckets-not-public',
    description: 'Every bucket is closed to the public, whatever its policy or its ACLs say.',
    setting: 'BucketPublicAccessBlock',
    types: ['aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock'],
    wrong: (props) => {
      const off = CLOSED.filter((name) => isSurelyNot(props[name], true));
      return off.length === 0 ? undefined : off.map((name) => `${name} ${tell(props[name])}`).join(', ');
    },
    expected: `one with ${CLOSED.join(', ')} all true`,
    remedy: 'Use SecureBucket, or declare one with all four set',
  }),
  resourceRule({
    name: 'bucket-policies-not-public',
    description: 'No bucket policy allows anything to everybody.',
    types: ['aws:s3/bucketPolicy:BucketPolicy', ...BUCKETS],
    check: ({ props }) =>
      allowing(props['policy'])
        .filter(isPublic)
        .map((statement) => ({
          found: `${nameOf(statement)} of a bucket policy that allows everybody`,
          expected: 'principals by ARN; a Deny may name everybody, an Allow may not',
          remedy: 'Replace Principal "*" by the ARNs of the roles and users that need it',
        })),
  }),
];

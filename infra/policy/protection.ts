import { resourceRule } from './rule';
import { protectsData } from './stack-config';

export const protectionRules = [
  resourceRule({
    name: 'data-protected',
    description: 'What holds data, or the key to it, is not deleted in passing.',
    types: [
      'aws:s3/bucket:Bucket',
      'aws:s3/bucketV2:BucketV2',
      'aws:ebs/volume:Volume',
      'aws:kms/key:Key',
      'aws:kms/replicaKey:ReplicaKey',
      'aws:secretsmanager/secret:Secret',
      'cloudflare:index/r2Bucket:R2Bucket',
      // On servers that exist, what deletes data when it is deleted; what they are made of follows them.
      'failover:dedicated:QdrantCluster',
      'failover:dedicated:Witness',
    ],
    check: ({ name, protect }) => {
      if (protect || !protectsData()) return [];
      return [
        {
          found: `${name} without the option protect`,
          expected: 'protect: true, since protectData is not false in this stack',
          remedy: 'Declare it, or the component that it is in, with { protect: settings.protectData }',
        },
      ];
    },
  }),
];

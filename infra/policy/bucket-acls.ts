import { BUCKETS } from './bucket-settings';
import { resourceRule } from './rule';
import { at, listOf, tell, UNKNOWN, type Value, type Values } from './values';

/** Anybody, or anybody with an AWS account, which anybody can have. */
const PUBLIC_ACLS: readonly Value[] = ['public-read', 'public-read-write', 'authenticated-read'];
const PUBLIC_GROUPS = /\/groups\/global\/(AllUsers|AuthenticatedUsers)$/;

/** Of `BucketAcl` in a policy of its own, of others in their own properties. */
function grantees({ accessControlPolicy, grants }: Values): readonly Value[] {
  const ofAcl = at(accessControlPolicy, 'grants');
  return [
    ...(ofAcl === UNKNOWN ? [] : listOf(ofAcl)).map((grant) => at(grant, 'grantee', 'uri')),
    ...(grants === UNKNOWN ? [] : listOf(grants)).map((grant) => at(grant, 'uri')),
  ];
}

export const bucketAclRules = [
  resourceRule({
    name: 'bucket-acls-not-public',
    description: 'No ACL of a bucket or an object lets everybody in.',
    types: [
      'aws:s3/bucketAcl:BucketAcl',
      'aws:s3/bucketAclV2:BucketAclV2',
      'aws:s3/bucketObject:BucketObject',
      'aws:s3/bucketObjectv2:BucketObjectv2',
      ...BUCKETS,
    ],
    check: ({ props }) => {
      const groups = grantees(props).filter((uri) => typeof uri === 'string' && PUBLIC_GROUPS.test(uri));
      const found = [
        ...(PUBLIC_ACLS.includes(props['acl']) ? [`acl ${tell(props['acl'])}`] : []),
        ...groups.map((uri) => `a grant to ${tell(uri)}`),
      ];
      return found.map((each) => ({
        found: each,
        expected: 'no ACL, or "private": who may read is said by policies',
        remedy: 'Remove the ACL, and name the roles and users that need it in a policy',
      }));
    },
  }),
];

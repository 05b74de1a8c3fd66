/** A program that breaks every policy, in every way that each tells apart. */
export const BREAKING = `
const aws = require('@pulumi/aws');
const cloudflare = require('@pulumi/cloudflare');
const kept = { protect: true };
const region = 'eu-west-2';
const record = { zoneId: 'z', name: 'api.example.com', type: 'A', records: ['192.0.2.1'], setIdentifier: 'uk' };
new aws.route53.Record('slow', { ...record, ttl: 300, failoverRoutingPolicies: [{ type: 'PRIMARY' }], healthCheckId: 'c' });
new aws.route53.Record('unwatched', { ...record, ttl: 60, failoverRoutingPolicies: [{ type: 'PRIMARY' }] });
new cloudflare.LoadBalancerPool('unwatched-pool', { accountId: 'a', name: 'uk', origins: [] });
new cloudflare.LoadBalancer('slow-balancer', { zoneId: 'z', name: 'api.example.com', ttl: 120, defaultPools: [], fallbackPool: 'p' });
new cloudflare.DnsRecord('slow-record', { zoneId: 'z', name: 'api.example.com', type: 'A', content: '192.0.2.1', ttl: 61 });
new cloudflare.DnsRecord('automatic-record', { zoneId: 'z', name: 'api.example.com', type: 'A', content: '192.0.2.1', ttl: 1 });

new aws.secretsmanager.Secret('alone', { region }, kept);
new aws.secretsmanager.Secret('near', { region, replicas: [{ region }] }, kept);

new aws.ebs.Volume('bare-volume', { region, availabilityZone: 'eu-west-2a' }, kept);
new aws.ebs.Volume('default-key', { region, availabilityZone: 'eu-west-2a', encrypted: true }, kept);
new aws.ec2.Instance('bare-instance', { region });
new aws.ec2.Instance('old-metadata', { region, metadataOptions: { httpTokens: 'optional' },
  rootBlockDevice: { encrypted: true, kmsKeyId: 'k' }, ebsBlockDevices: [{ deviceName: '/dev/sdf', encrypted: false }] });
new aws.ec2.LaunchTemplate('old-template', { region, metadataOptions: { httpEndpoint: 'enabled' } });

new aws.s3.Bucket('open', { bucket: 'open', region }, kept);
new aws.s3.Bucket('half', { bucket: 'half', region }, kept);
new aws.s3.BucketServerSideEncryptionConfiguration('half', { bucket: 'half', region,
  rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }] });
new aws.s3.BucketPublicAccessBlock('half', { bucket: 'half', region, blockPublicAcls: true, blockPublicPolicy: false,
  ignorePublicAcls: true });
new aws.s3.BucketPolicy('everybody', { bucket: 'open', region, policy: JSON.stringify({ Statement: [
  { Sid: 'Read', Effect: 'Allow', Principal: { AWS: '*' }, Action: 's3:GetObject', Resource: 'arn:aws:s3:::open/*' },
  { Sid: 'List', Effect: 'Allow', Principal: '*', Action: 's3:ListBucket', Resource: 'arn:aws:s3:::open' },
  { Sid: 'AllBut', Effect: 'Allow', NotPrincipal: { AWS: 'arn:aws:iam::1:root' }, Action: 's3:GetObject', Resource: 'arn:aws:s3:::open/*' } ] }) });
new aws.s3.BucketAcl('readable', { bucket: 'open', region, acl: 'public-read' });
new aws.s3.BucketAcl('granted', { bucket: 'open', region, accessControlPolicy: { owner: { id: 'o' }, grants: [
  { permission: 'READ', grantee: { type: 'Group', uri: 'http://acs.amazonaws.com/groups/global/AllUsers' } } ] } });
new aws.s3.BucketObjectv2('readable-object', { bucket: 'open', region, key: 'k', acl: 'public-read' });

const all = (Action, Resource) => JSON.stringify({ Statement: { Sid: 'All', Effect: 'Allow', Action, Resource } });
new aws.iam.RolePolicy('root', { role: 'uk', policy: all('*', 'arn:aws:s3:::open') });
new aws.iam.UserPolicy('service', { user: 'uk', policy: pulumi.secret(all(['s3:*'], 'arn:aws:s3:::open')) });
new aws.iam.Policy('everything', { policy: all('s3:GetObject', ['*']) });
new aws.iam.Role('inline-policy', { assumeRolePolicy: '{}', inlinePolicies: [{ name: 'i', policy: all('s3:GetObject', 'arn:aws:s3:::*') }] });
new aws.iam.RolePolicyAttachment('administrator', { role: 'uk', policyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' });

const securityGroupId = new aws.ec2.SecurityGroup('inline', { region, ingress: [
  { protocol: 'tcp', fromPort: 22, toPort: 22, cidrBlocks: ['10.0.0.0/8'] } ] }).id;
new aws.vpc.SecurityGroupIngressRule('all', { region, securityGroupId, ipProtocol: '-1' });
new aws.ec2.SecurityGroupRule('wide', { region, type: 'ingress', securityGroupId, protocol: 'tcp', fromPort: 443, toPort: 8443 });

new aws.s3.Bucket('loose-bucket', { bucket: 'loose', region });
new aws.ebs.Volume('loose-volume', { region, availabilityZone: 'eu-west-2a', encrypted: true, kmsKeyId: 'k' });
new aws.kms.Key('loose-key', { region });
new aws.kms.ReplicaKey('loose-replica', { region, primaryKeyArn: 'k' });
new aws.secretsmanager.Secret('loose-secret', { region, replicas: [{ region: 'eu-central-1' }] });
new cloudflare.R2Bucket('loose-r2', { accountId: 'a', name: 'lease' });
new pulumi.ComponentResource('failover:dedicated:QdrantCluster', 'loose-vectors');
`;

/** Rule, resource, and what was found. */
export type Finding = readonly [rule: string, resource: string, found: string];

export const FINDINGS: readonly Finding[] = [
  ['failover-ttl', 'slow', 'ttl 300'],
  ['failover-ttl', 'slow-balancer', 'ttl 120'],
  ['failover-ttl', 'slow-record', 'ttl 61'],
  ['failover-ttl', 'automatic-record', 'an automatic ttl, which is 300 seconds'],
  ['failover-health-check', 'unwatched', 'a failover record without healthCheckId'],
  ['failover-health-check', 'unwatched-pool', 'a load balancing pool without monitor'],
  ['secrets-replicated', 'alone', 'a secret without replicas'],
  ['secrets-replicated', 'near', 'a secret whose replicas are all in its own region, "eu-west-2"'],
  ['volumes-encrypted', 'bare-volume', 'a volume with encrypted none'],
  ['volumes-encrypted', 'default-key', 'a volume without kmsKeyId'],
  ['volumes-encrypted', 'bare-instance', "an instance's root device with encrypted none"],
  ['volumes-encrypted', 'old-metadata', 'an instance\'s device "/dev/sdf" with encrypted false'],
  ['imdsv2-required', 'bare-instance', 'metadataOptions.httpTokens none'],
  ['imdsv2-required', 'old-metadata', 'metadataOptions.httpTokens "optional"'],
  ['imdsv2-required', 'old-template', 'metadataOptions.httpTokens none'],
  ['buckets-encrypted', 'open', 'bucket open with no BucketServerSideEncryptionConfiguration'],
  ['buckets-encrypted', 'half', 'bucket half with sseAlgorithm "AES256"'],
  [
    'buckets-encrypted',
    'loose-bucket',
    'bucket loose-bucket with no BucketServerSideEncryptionConfiguration',
  ],
  ['buckets-not-public', 'open', 'bucket open with no BucketPublicAccessBlock'],
  ['buckets-not-public', 'half', 'bucket half with blockPublicPolicy false, restrictPublicBuckets none'],
  ['buckets-not-public', 'loose-bucket', 'bucket loose-bucket with no BucketPublicAccessBlock'],
  ['bucket-policies-not-public', 'everybody', 'statement Read of a bucket policy that allows everybody'],
  ['bucket-policies-not-public', 'everybody', 'statement List of a bucket policy that allows everybody'],
  ['bucket-policies-not-public', 'everybody', 'statement AllBut of a bucket policy that allows everybody'],
  ['bucket-acls-not-public', 'readable', 'acl "public-read"'],
  ['bucket-acls-not-public', 'granted', 'a grant to "http://acs.amazonaws.com/groups/global/AllUsers"'],
  ['bucket-acls-not-public', 'readable-object', 'acl "public-read"'],
  ['iam-no-wildcards', 'root', 'statement All that allows Action "*"'],
  ['iam-no-wildcards', 'service', 'statement All that allows Action "s3:*"'],
  ['iam-no-wildcards', 'everything', 'statement All that allows Resource "*"'],
  ['iam-no-wildcards', 'inline-policy', 'statement All that allows Resource "arn:aws:s3:::*"'],
  ['iam-no-wildcards', 'administrator', 'the managed policy AdministratorAccess, which allows all of it'],
  ['ingress-https-only', 'inline', 'ingress of protocol "tcp", ports 22 to 22'],
  ['ingress-https-only', 'all', 'ingress of protocol "-1", ports none to none'],
  ['ingress-https-only', 'wide', 'ingress of protocol "tcp", ports 443 to 8443'],
  ['data-protected', 'loose-bucket', 'loose-bucket without the option protect'],
  ['data-protected', 'loose-volume', 'loose-volume without the option protect'],
  ['data-protected', 'loose-key', 'loose-key without the option protect'],
  ['data-protected', 'loose-replica', 'loose-replica without the option protect'],
  ['data-protected', 'loose-secret', 'loose-secret without the option protect'],
  ['data-protected', 'loose-r2', 'loose-r2 without the option protect'],
  ['data-protected', 'loose-vectors', 'loose-vectors without the option protect'],
];

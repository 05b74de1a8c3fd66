/** A program that keeps to every policy, much of which a preview does not know yet. */
export const KEEPING = `
const aws = require('@pulumi/aws');
const cloudflare = require('@pulumi/cloudflare');
const kept = { protect: true };
const region = 'eu-west-2';
const key = new aws.kms.Key('key', { region, policy: JSON.stringify({ Statement: [
  { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::1:root' }, Action: 'kms:*', Resource: '*' } ] }) }, kept);

const check = new aws.route53.HealthCheck('check', { type: 'HTTPS' });
const record = { zoneId: 'z', name: 'api.example.com', type: 'A', records: ['192.0.2.1'], setIdentifier: 'uk' };
new aws.route53.Record('service', { ...record, ttl: 60, failoverRoutingPolicies: [{ type: 'PRIMARY' }], healthCheckId: check.id });
new aws.route53.Record('unknown-ttl', { ...record, ttl: check.id.apply(Number), failoverRoutingPolicies: [{ type: 'SECONDARY' }], healthCheckId: check.id });
new aws.route53.Record('plain', { zoneId: 'z', name: 'docs.example.com', type: 'A', ttl: 3600, records: ['192.0.2.1'] });
const monitor = new cloudflare.LoadBalancerMonitor('monitor', { accountId: 'a', type: 'https' });
const pool = new cloudflare.LoadBalancerPool('pool', { accountId: 'a', name: 'uk', monitor: monitor.id, origins: [] });
new cloudflare.LoadBalancer('balancer', { zoneId: 'z', name: 'api.example.com', ttl: 30, defaultPools: [pool.id], fallbackPool: pool.id });
new cloudflare.LoadBalancer('proxied', { zoneId: 'z', name: 'api.example.com', proxied: true, defaultPools: [pool.id], fallbackPool: pool.id });
new cloudflare.DnsRecord('moved', { zoneId: 'z', name: 'api.example.com', type: 'A', content: '192.0.2.1', ttl: 60, proxied: false });
new cloudflare.DnsRecord('text', { zoneId: 'z', name: 'example.com', type: 'TXT', content: 'x', ttl: 3600 });

new aws.secretsmanager.Secret('secret', { region, replicas: [{ region: 'eu-central-1', kmsKeyId: key.arn }] }, kept);
new aws.secretsmanager.Secret('unknown-replica', { region, replicas: [{ region: key.id }] }, kept);

new aws.ebs.Volume('volume', { region, availabilityZone: 'eu-west-2a', encrypted: true, kmsKeyId: key.arn }, kept);
new aws.ec2.Instance('instance', { region, metadataOptions: { httpTokens: 'required' },
  rootBlockDevice: { encrypted: true, kmsKeyId: key.arn } });
new aws.ec2.LaunchTemplate('template', { region, metadataOptions: { httpTokens: 'required' } });

for (const args of [{ bucket: 'releases' }, {}]) {
  const name = args.bucket ?? 'unnamed';
  const bucket = new aws.s3.Bucket(name, { ...args, region }, kept);
  const of = { bucket: bucket.bucket, region };
  new aws.s3.BucketServerSideEncryptionConfiguration(name, { ...of,
    rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: key.arn } }] });
  new aws.s3.BucketPublicAccessBlock(name, { ...of, blockPublicAcls: true, blockPublicPolicy: true,
    ignorePublicAcls: true, restrictPublicBuckets: true });
  new aws.s3.BucketPolicy(name, { ...of, policy: pulumi.jsonStringify({ Statement: [
    { Effect: 'Deny', Principal: '*', Action: ['s3:*'], Resource: bucket.arn } ] }) });
  new aws.s3.BucketPolicy(name + '-known', { ...of, policy: JSON.stringify({ Statement: [
    { Effect: 'Deny', Principal: '*', Action: ['s3:*'], Resource: '*' },
    { Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::1:role/uk' }, Action: ['s3:GetObject'], Resource: '*' } ] }) });
}

new aws.s3.BucketAcl('private', { bucket: 'releases', region, acl: 'private' });
new aws.iam.RolePolicyAttachment('sessions', { role: 'uk', policyArn: 'arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore' });
new aws.iam.RolePolicy('role-policy', { role: 'uk', policy: pulumi.jsonStringify({ Statement: [
  { Effect: 'Allow', Action: ['s3:GetObject'], Resource: [pulumi.interpolate\`\${key.arn}/*\`] } ] }) });
new aws.iam.UserPolicy('user-policy', { user: 'uk', policy: JSON.stringify({ Statement: [
  { Effect: 'Allow', Action: 's3:Get*', Resource: 'arn:aws:s3:::releases/status/*' },
  { Effect: 'Deny', Action: '*', Resource: '*' } ] }) });

const group = new aws.ec2.SecurityGroup('group', { region, ingress: [
  { protocol: 'tcp', fromPort: 443, toPort: 443, cidrBlocks: ['0.0.0.0/0'] } ] });
new aws.vpc.SecurityGroupIngressRule('https', { region, securityGroupId: group.id, ipProtocol: 'tcp', fromPort: 443, toPort: 443 });
new aws.ec2.SecurityGroupRule('out', { region, type: 'egress', securityGroupId: group.id, protocol: '-1', fromPort: 0, toPort: 0 });

new cloudflare.R2Bucket('r2', { accountId: 'a', name: 'lease' }, kept);
new pulumi.ComponentResource('failover:dedicated:QdrantCluster', 'vectors', {}, kept);

// Nothing is known of these.
const later = key.id.apply(() => undefined);
const all = (...names) => Object.fromEntries(names.map((name) => [name, later]));
new aws.route53.Record('later', all('zoneId', 'name', 'type', 'ttl', 'records', 'failoverRoutingPolicies', 'healthCheckId'));
new cloudflare.LoadBalancerPool('later', all('accountId', 'name', 'monitor', 'origins'));
new cloudflare.LoadBalancer('later', all('zoneId', 'name', 'ttl', 'proxied', 'defaultPools', 'fallbackPool'));
new cloudflare.DnsRecord('later', all('zoneId', 'name', 'type', 'content', 'ttl', 'proxied'));
new aws.secretsmanager.Secret('later', all('region', 'replicas'), kept);
new aws.ebs.Volume('later', all('availabilityZone', 'encrypted', 'kmsKeyId'), kept);
new aws.ec2.Instance('later', all('metadataOptions', 'rootBlockDevice', 'ebsBlockDevices'));
new aws.ec2.LaunchTemplate('later', all('metadataOptions'));
new aws.s3.Bucket('later', all('bucket', 'acl', 'grants', 'policy'), kept);
new aws.s3.BucketServerSideEncryptionConfiguration('later', all('bucket', 'rules'));
new aws.s3.BucketPublicAccessBlock('later',
  all('bucket', 'blockPublicAcls', 'blockPublicPolicy', 'ignorePublicAcls', 'restrictPublicBuckets'));
new aws.s3.BucketPolicy('later', all('bucket', 'policy'));
new aws.s3.BucketAcl('later', all('bucket', 'acl', 'accessControlPolicy'));
new aws.iam.RolePolicy('later', all('role', 'policy'));
new aws.iam.RolePolicyAttachment('later', all('role', 'policyArn'));
new aws.iam.Role('later', all('assumeRolePolicy', 'inlinePolicies', 'managedPolicyArns'));
new aws.ec2.SecurityGroup('later', all('ingress'));
new aws.vpc.SecurityGroupIngressRule('later', all('securityGroupId', 'ipProtocol', 'fromPort', 'toPort'));
new aws.ec2.SecurityGroupRule('later', all('securityGroupId', 'type', 'protocol', 'fromPort', 'toPort'));
`;

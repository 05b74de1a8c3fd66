import { initialSiteOf } from '../names';
import { onlyOn, required, type Rule, when } from './rule';

/** Rules on stacks that AWS hosts. */
export const awsRules: readonly Rule[] = onlyOn('aws', [
  required('awsRegion', "the stack's region, such as eu-west-2"),
  required(
    'awsNamePrefix',
    'the first part of all names, such as acme-failover; names of buckets are global',
  ),
  required(
    'awsAmi',
    "a machine image of the site's region with NVIDIA's driver and container toolkit",
    'site',
  ),
  required('awsSecretsRegion', "the primary's region"),
  required('awsSecretsReplicaRegion', "the standby's region"),
  {
    reads: ['awsSecretsRegion', 'awsSecretsReplicaRegion'],
    check: ({ awsSecretsRegion, awsSecretsReplicaRegion }) =>
      when(awsSecretsRegion === awsSecretsReplicaRegion, {
        key: 'awsSecretsReplicaRegion',
        got: awsSecretsReplicaRegion,
        allowed: `another region than awsSecretsRegion (${awsSecretsRegion}), or losing it loses the secrets`,
      }),
  },
  {
    kind: 'witness',
    reads: ['awsRegion', 'awsSecretsRegion', 'awsSecretsReplicaRegion'],
    check: ({ awsRegion, awsSecretsRegion, awsSecretsReplicaRegion }) =>
      when(awsRegion !== '' && [awsSecretsRegion, awsSecretsReplicaRegion].includes(awsRegion), {
        key: 'awsRegion',
        got: awsRegion,
        allowed: "a third region: the lease must outlive either site's",
      }),
  },
  {
    kind: 'site',
    reads: ['awsRegion', 'awsSecretsRegion', 'awsSecretsReplicaRegion', 'site', 'sites', 'initialSite'],
    check: (config) => {
      const primary = config.site === initialSiteOf(config);
      const key = primary ? 'awsSecretsRegion' : 'awsSecretsReplicaRegion';
      return when(config.awsRegion !== '' && config.awsRegion !== config[key], {
        key: 'awsRegion',
        got: config.awsRegion,
        allowed: `${config[key]}, where the secrets of the ${primary ? 'primary' : 'standby'} are (${key})`,
      });
    },
  },
  {
    reads: ['tlsMode'],
    check: ({ tlsMode }) =>
      when(tlsMode === 'acme', {
        key: 'tlsMode',
        got: tlsMode,
        allowed: 'files; certificates by DNS challenge against Route 53 are not built yet',
      }),
  },
  {
    kind: 'site',
    reads: ['inferenceRuntime'],
    check: ({ inferenceRuntime }) =>
      when(inferenceRuntime !== 'container', {
        key: 'inferenceRuntime',
        got: inferenceRuntime,
        allowed: 'container on aws',
      }),
  },
  {
    reads: ['dnsProvider'],
    check: ({ dnsProvider }) =>
      when(dnsProvider !== 'route53', { key: 'dnsProvider', got: dnsProvider, allowed: 'route53 on aws' }),
  },
  {
    reads: ['dnsProvider', 'dnsTtlSeconds'],
    check: ({ dnsTtlSeconds }) =>
      when(dnsTtlSeconds > 60, {
        key: 'dnsTtlSeconds',
        got: dnsTtlSeconds,
        allowed: 'at most 60: clients would hold on to a lost site for so long',
      }),
  },
  {
    reads: ['dnsCheckIntervalSeconds'],
    check: ({ dnsCheckIntervalSeconds }) =>
      when(![30, 90].includes(dnsCheckIntervalSeconds), {
        key: 'dnsCheckIntervalSeconds',
        got: dnsCheckIntervalSeconds,
        allowed: '30 or 90: Route 53 checks every 10 or 30 s and believes the third answer',
      }),
  },
]);

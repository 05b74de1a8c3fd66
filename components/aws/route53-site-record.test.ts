import { named, record, valueOf } from '../testing/recording';
import { CHECKER_REGIONS } from './route53-rules';
import { Route53SiteRecord, type Route53SiteRecordArgs } from './route53-site-record';

const ARGS: Route53SiteRecordArgs = {
  zoneId: 'Z1',
  serviceHost: 'api.example.com',
  site: 'uk-primary',
  siteHost: 'uk.example.com',
  role: 'PRIMARY',
  addresses: ['192.0.2.10', '192.0.2.11'],
  ttlSeconds: 60,
  requestIntervalSeconds: 10,
  failureThreshold: 3,
  searchString: '"ready":true',
  checkerRegions: ['eu-west-1', 'us-east-1', 'us-west-1'],
  alarmTopicArn: 'arn:topic',
};
const declare = (more: Partial<Route53SiteRecordArgs> = {}) =>
  record(() => new Route53SiteRecord('uk', { ...ARGS, ...more }));

describe('Route53SiteRecord', () => {
  it('checks readiness by name, over TLS with that name, from regions that are named', async () => {
    const { resources, result } = await declare();
    expect(named(resources, 'uk').type).toBe('failover:aws:Route53SiteRecord');
    expect(named(resources, 'uk-check')).toMatchObject({
      parent: 'uk',
      inputs: {
        type: 'HTTPS_STR_MATCH',
        fqdn: 'uk.example.com',
        port: 443,
        resourcePath: '/readyz',
        searchString: '"ready":true',
        enableSni: true,
        requestInterval: 10,
        failureThreshold: 3,
        regions: ['eu-west-1', 'us-east-1', 'us-west-1'],
        tags: { Name: 'uk.example.com ready' },
      },
    });
    expect(named(resources, 'uk-check').inputs).not.toHaveProperty('ipAddress');
    expect(await valueOf(result.healthCheckId)).toBe('uk-check-id');
  });

  it('trap 20: neither disables nor inverts the check, since a disabled one counts as healthy', async () => {
    const { resources } = await declare();
    expect(named(resources, 'uk-check').inputs).toMatchObject({ disabled: false, invertHealthcheck: false });
  });

  it.each(['PRIMARY', 'SECONDARY'] as const)('answers for the service as %s, with a check', async (role) => {
    const { resources } = await declare({ role });
    expect(named(resources, 'uk-service').inputs).toEqual({
      zoneId: 'Z1',
      type: 'A',
      ttl: 60,
      records: ['192.0.2.10', '192.0.2.11'],
      name: 'api.example.com',
      setIdentifier: 'uk-primary',
      failoverRoutingPolicies: [{ type: role }],
      healthCheckId: 'uk-check-id',
    });
  });

  it('has a name of its own, which no check can take away', async () => {
    const { resources } = await declare();
    expect(named(resources, 'uk-site').inputs).toEqual({
      zoneId: 'Z1',
      type: 'A',
      ttl: 60,
      records: ['192.0.2.10', '192.0.2.11'],
      name: 'uk.example.com',
    });
  });

  it('alarms where Route 53 has its metrics, when the primary stops being ready', async () => {
    const { resources } = await declare();
    expect(named(resources, 'uk-alarm').inputs).toEqual({
      region: 'us-east-1',
      alarmDescription:
        'uk-primary is not ready: a failover, or nobody serves api.example.com. See `failover status`.',
      namespace: 'AWS/Route53',
      metricName: 'HealthCheckStatus',
      dimensions: { HealthCheckId: 'uk-check-id' },
      statistic: 'Minimum',
      comparisonOperator: 'LessThanThreshold',
      threshold: 1,
      period: 60,
      evaluationPeriods: 1,
      treatMissingData: 'breaching',
      alarmActions: ['arn:topic'],
      okActions: ['arn:topic'],
    });
  });

  it('alarms when the standby starts to serve, which it does not do while all is well', async () => {
    const { resources } = await declare({ role: 'SECONDARY' });
    expect(named(resources, 'uk-alarm').inputs).toMatchObject({
      statistic: 'Maximum',
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      threshold: 1,
      treatMissingData: 'breaching',
    });
  });

  it.each<[string, Partial<Record<keyof Route53SiteRecordArgs, unknown>>]>([
    ['siteHost', { siteHost: 'api.example.com' }],
    ['ttlSeconds', { ttlSeconds: 61 }],
    ['requestIntervalSeconds', { requestIntervalSeconds: 20 }],
    ['failureThreshold', { failureThreshold: 11 }],
    ['searchString', { searchString: 'x'.repeat(256) }],
    ['checkerRegions', { checkerRegions: ['eu-west-1', 'us-east-1'] }],
    ['checkerRegions', { checkerRegions: ['eu-west-1', 'us-east-1', 'eu-west-2'] }],
    ['checkerRegions', { checkerRegions: ['eu-west-1', 'us-east-1', 'us-east-1'] }],
  ])('refuses what Route 53 would refuse: %s', async (what, change) => {
    await expect(declare(change as Partial<Route53SiteRecordArgs>)).rejects.toThrow(
      new RegExp(`DNS_ARGUMENT: ${what} of uk-primary is .*; allowed: `),
    );
  });

  it('takes all eight checker regions', async () => {
    const { resources } = await declare({ checkerRegions: CHECKER_REGIONS });
    expect(named(resources, 'uk-check').inputs['regions']).toHaveLength(8);
  });
});

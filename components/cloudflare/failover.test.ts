import { FailoverDns } from '../failover-dns';
import { named, record, valueOf } from '../testing/recording';
import { CloudflareDns } from './dns';
import { CloudflareFailover, type CloudflareFailoverArgs } from './failover';
import { detectionSeconds } from './monitor-rules';

const ARGS: CloudflareFailoverArgs = {
  accountId: 'account',
  zoneId: 'zone',
  prefix: 'acme',
  serviceHost: 'api.example.com',
  sites: [
    { site: 'uk-primary', siteHost: 'uk.example.com', addresses: ['192.0.2.10', '192.0.2.11'] },
    { site: 'eu-standby', siteHost: 'eu.example.com', addresses: ['198.51.100.10'] },
  ],
  plan: 'business',
  checkIntervalSeconds: 15,
  failureThreshold: 2,
  searchString: '"ready":true',
  ttlSeconds: 30,
};
const declare = (more: Partial<CloudflareFailoverArgs> = {}) =>
  record(() => new CloudflareFailover('dns', { ...ARGS, ...more }));

describe('CloudflareFailover', () => {
  it('answers with the first ready site, and with the first of all when none is', async () => {
    const { resources, result } = await declare();
    expect(named(resources, 'dns').type).toBe('failover:cloudflare:Failover');
    expect(named(resources, 'dns-balancer')).toMatchObject({ parent: 'dns' });
    expect(named(resources, 'dns-balancer').inputs).toEqual({
      zoneId: 'zone',
      name: 'api.example.com',
      description: 'Answers with the first ready site',
      defaultPools: ['dns-uk-primary-pool-id', 'dns-eu-standby-pool-id'],
      fallbackPool: 'dns-uk-primary-pool-id',
      steeringPolicy: 'off',
      sessionAffinity: 'none',
      proxied: false,
      ttl: 30,
      enabled: true,
    });
    expect(await valueOf(result.poolIds)).toEqual(['dns-uk-primary-pool-id', 'dns-eu-standby-pool-id']);
    expect(await valueOf(result.loadBalancerId)).toBe('dns-balancer-id');
  });

  it('asks each site for readiness by its own name', async () => {
    const { resources } = await declare();
    expect(named(resources, 'dns-eu-standby-monitor').inputs).toEqual({
      accountId: 'account',
      description: 'eu.example.com ready',
      type: 'https',
      method: 'GET',
      path: '/readyz',
      header: { Host: ['eu.example.com'] },
      expectedCodes: '200',
      expectedBody: '"ready":true',
      interval: 15,
      timeout: 5,
      retries: 0,
      consecutiveDown: 2,
      consecutiveUp: 2,
      followRedirects: false,
      allowInsecure: false,
    });
  });

  it('has a pool of each site with all of its servers', async () => {
    const { resources } = await declare();
    expect(named(resources, 'dns-uk-primary-pool').inputs).toEqual({
      accountId: 'account',
      name: 'acme-uk-primary',
      description: 'Servers of uk-primary',
      monitor: 'dns-uk-primary-monitor-id',
      checkRegions: ['WEU', 'EEU', 'ENAM'],
      minimumOrigins: 1,
      enabled: true,
      origins: [
        { name: 'uk-primary-1', address: '192.0.2.10', enabled: true, weight: 1 },
        { name: 'uk-primary-2', address: '192.0.2.11', enabled: true, weight: 1 },
      ],
    });
  });

  it('gives every site a name that is never proxied', async () => {
    const { resources } = await declare();
    const records = resources.filter(({ type }) => type.includes('DnsRecord'));
    expect(records.map(({ inputs }) => inputs)).toEqual(
      [
        ['uk.example.com', '192.0.2.10'],
        ['uk.example.com', '192.0.2.11'],
        ['eu.example.com', '198.51.100.10'],
      ].map(([name, content]) => ({ zoneId: 'zone', name, type: 'A', content, ttl: 60, proxied: false })),
    );
  });

  it('leaves the TTL to Cloudflare when requests go through it', async () => {
    const { resources } = await declare({ proxied: true });
    expect(named(resources, 'dns-balancer').inputs).not.toHaveProperty('ttl');
  });

  it.each([
    ['pro', 59, 60],
    ['business', 14, 15],
    ['enterprise', 9, 10],
  ] as const)('refuses plan %s an interval of %i and takes %i', async (plan, less, least) => {
    await expect(declare({ plan, checkIntervalSeconds: less })).rejects.toThrow(
      `DNS_ARGUMENT: checkIntervalSeconds is ${less}; allowed: ${least} to 3600 on plan ${plan} (pro 60, business 15, enterprise 10)`,
    );
    await expect(declare({ plan, checkIntervalSeconds: least })).resolves.toBeDefined();
  });

  it.each<[string, Partial<Record<keyof CloudflareFailoverArgs, unknown>>]>([
    ['ttlSeconds', { ttlSeconds: 61 }],
    ['failureThreshold', { failureThreshold: 0 }],
    ['recoveryThreshold', { recoveryThreshold: 11 }],
    ['checkTimeoutSeconds', { checkTimeoutSeconds: 15 }],
    ['checkRegions', { checkRegions: ['EUROPE'] }],
    ['checkRegions', { checkRegions: [] }],
    ['searchString', { searchString: '' }],
    ['sites', { sites: ARGS.sites.slice(0, 1) }],
    ['sites', { serviceHost: 'uk.example.com' }],
    ['addresses of uk', { sites: [{ site: 'uk', siteHost: 'a', addresses: ['::1'] }, ARGS.sites[1]] }],
  ])('refuses what Cloudflare would refuse, or what would be late: %s', async (what, change) => {
    await expect(declare(change as Partial<CloudflareFailoverArgs>)).rejects.toThrow(
      new RegExp(`DNS_ARGUMENT: ${what} is .*; allowed: `),
    );
  });

  it('adds up how long a loss takes to be seen', () => {
    expect(detectionSeconds({ checkIntervalSeconds: 15, failureThreshold: 2, checkTimeoutSeconds: 5 })).toBe(
      35,
    );
  });
});

describe('FailoverDns with Cloudflare', () => {
  const world = {
    functions: { 'cloudflare:index/getZone:getZone': () => ({ nameServers: ['a.ns.example.net'] }) },
  };

  it('balances, and says who answers for the zone', async () => {
    const { resources, result } = await record(() => {
      const provider = new CloudflareDns({ mode: 'load-balancer', loadBalancer: ARGS });
      const dns = new FailoverDns('dns', { provider });
      return { nameservers: dns.nameservers, provider };
    }, world);
    expect(named(resources, 'dns-cloudflare')).toMatchObject({ parent: 'dns' });
    expect(result.provider.loadBalancer?.poolIds).toHaveLength(2);
    expect(await valueOf(result.nameservers)).toEqual(['a.ns.example.net']);
  });

  it('has records that the agents move where there is no balancer', async () => {
    const sites = ARGS.sites.map((site) => ({ ...site, addresses: site.addresses.slice(0, 1) }));
    const { resources } = await record(() => {
      const provider = new CloudflareDns({
        mode: 'record',
        record: { zoneId: 'zone', serviceHost: 'api.example.com', sites },
      });
      return void new FailoverDns('dns', { provider });
    }, world);
    expect(named(resources, 'dns-cloudflare').type).toBe('failover:cloudflare:Record');
  });
});

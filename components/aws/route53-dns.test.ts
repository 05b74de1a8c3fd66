import { FailoverDns } from '../failover-dns';
import { named, record, valueOf } from '../testing/recording';
import { Route53Dns } from './route53-dns';

const declare = (zoneId?: string) =>
  record(() => {
    const provider = new Route53Dns({
      zone: 'ai.example.com',
      comment: 'Made by failover',
      ...(zoneId === undefined ? {} : { zoneId }),
    });
    const dns = new FailoverDns('dns', { provider });
    return { provider, dns };
  });

describe('FailoverDns with Route 53', () => {
  it('makes the zone', async () => {
    const { resources, result } = await declare();
    expect(named(resources, 'dns-zone')).toMatchObject({
      parent: 'dns',
      inputs: { name: 'ai.example.com', comment: 'Made by failover', forceDestroy: false },
    });
    expect(result.provider.kind).toBe('route53');
  });

  it('takes one that exists, and makes none', async () => {
    const { resources, result } = await declare('Z123456');
    expect(resources.filter(({ type }) => type.startsWith('aws:'))).toEqual([]);
    expect(await valueOf(result.dns.nameservers)).toEqual(['ns-1.example.net']);
  });

  it('refuses to tell of a zone that was not declared yet', () => {
    const provider = new Route53Dns({ zone: 'ai.example.com', comment: '' });
    expect(() => provider.zoneId).toThrow(/before the zone was declared/);
  });
});

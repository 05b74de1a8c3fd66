import { named, record } from '../testing/recording';
import { CloudflareRecord, type CloudflareRecordArgs } from './record';

const ARGS: CloudflareRecordArgs = {
  zoneId: 'zone',
  serviceHost: 'api.example.com',
  sites: [
    { site: 'uk-primary', siteHost: 'uk.example.com', addresses: ['192.0.2.10'] },
    { site: 'eu-standby', siteHost: 'eu.example.com', addresses: ['198.51.100.10'] },
  ],
};
const declare = (more: Partial<CloudflareRecordArgs> = {}) =>
  record(() => void new CloudflareRecord('dns', { ...ARGS, ...more }));

describe('CloudflareRecord', () => {
  it('points at the first site when it is made, and leaves the address to the agents from then on', async () => {
    const { resources } = await declare();
    expect(named(resources, 'dns-1')).toMatchObject({ parent: 'dns', ignoreChanges: ['content'] });
    expect(named(resources, 'dns-1').inputs).toEqual({
      zoneId: 'zone',
      name: 'api.example.com',
      type: 'A',
      content: '192.0.2.10',
      ttl: 60,
      proxied: false,
      comment: 'Moved by the agent of the site that holds the lease',
    });
  });

  it("keeps the sites' own names where they are", async () => {
    const { resources } = await declare();
    const own = named(resources, 'dns-eu-standby-1');
    expect(own.inputs).toMatchObject({ name: 'eu.example.com', content: '198.51.100.10', ttl: 60 });
    expect(own.ignoreChanges).toBeUndefined();
  });

  it('refuses sites of unequal size, whose records could not be moved', async () => {
    const [uk, eu] = ARGS.sites;
    await expect(
      declare({ sites: [uk!, { ...eu!, addresses: ['198.51.100.10', '198.51.100.11'] }] }),
    ).rejects.toThrow(
      'DNS_ARGUMENT: addresses is {"uk-primary":1,"eu-standby":2}; allowed: equally many at each site',
    );
  });

  it.each([30, 61])('refuses a TTL of %i', async (ttlSeconds) => {
    await expect(declare({ ttlSeconds })).rejects.toThrow(`DNS_ARGUMENT: ttlSeconds is ${ttlSeconds}`);
  });
});

/** The real engine applies the witness's stack to an emulated Cloudflare, which is then asked for what the design needs. */
import { refusal } from '../testing/refusal';
import {
  ACCOUNT_ID,
  ADDRESSES,
  BOUGHT,
  CloudflareWorld,
  NAMESERVERS,
  SERVICE_HOST,
  ZONE_ID,
} from './example';

const NO_CHANGES = ['--expect-no-changes'];
const POOLS = `/accounts/${ACCOUNT_ID}/load_balancers/pools`;
const MONITORS = `/accounts/${ACCOUNT_ID}/load_balancers/monitors`;
const POLICIES = `/accounts/${ACCOUNT_ID}/alerting/v3/policies`;
const BALANCERS = `/zones/${ZONE_ID}/load_balancers`;
const RECORDS = `/zones/${ZONE_ID}/dns_records`;
const BUCKETS = `/accounts/${ACCOUNT_ID}/r2/buckets`;
const IN_THE_EU = { headers: { 'cf-r2-jurisdiction': 'eu' } };

type Found = Readonly<Record<string, unknown>> & { readonly id: string };

let world: CloudflareWorld;

const found = (where: string): Promise<Found[]> => world.ask<Found[]>(`GET ${where}`);
const named = async (where: string, name: string): Promise<Found> => {
  const [one, ...others] = (await found(where)).filter((each) => each['name'] === name);
  if (one === undefined || others.length > 0) throw new Error(`${name}: not one of ${where}`);
  return one;
};
const addresses = async (name: string): Promise<unknown[]> =>
  (await found(`${RECORDS}?type=A&name.exact=${name}`)).map(({ content }) => content);

/** What was changed at Cloudflare by the work, without the ids of what was changed. */
async function writesOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = world.api.writes.length;
  await work();
  return world.api.writes.slice(before).map((write) => write.replace(/\/[0-9a-f]{32}$/, '/…'));
}

async function expectNoSecretInState(): Promise<void> {
  const state = await world.stateText();
  const outputs = await world.outputs();
  const keys = ['clientKey', 'operatorKey', 'peerKey', 'qdrantKey', 'vllmKey', 'repositoryKey', 'tsigKey'];
  const secrets = keys.map((name) => outputs[name]);
  for (const secret of [...secrets, world.tokens.deployment, world.tokens.agent]) {
    expect(String(secret).length).toBeGreaterThan(20);
    expect(state).not.toContain(secret);
  }
}

describe('a zone whose plan has load balancing', () => {
  beforeAll(async () => {
    world = await CloudflareWorld.start('balanced');
    await world.up();
  }, 300_000);
  afterEach(() => world.configure());
  afterAll(() => world.dispose());

  it('has nothing left to do, also when the account is looked at again', async () => {
    await world.up(...NO_CHANGES);
    expect(await writesOf(() => world.up('--refresh', ...NO_CHANGES))).toEqual([]);
  }, 60_000);

  it('asks each site for readiness, and believes the second answer', async () => {
    for (const [site, address] of Object.entries(ADDRESSES)) {
      const pool = await named(POOLS, `failover-test-${site}`);
      expect(pool).toMatchObject({
        enabled: true,
        minimum_origins: 1,
        check_regions: ['WEU', 'EEU', 'ENAM'],
        origins: [{ name: `${site}-1`, address, enabled: true, weight: 1 }],
      });
      expect(await world.ask(`GET ${MONITORS}/${String(pool['monitor'])}`)).toMatchObject({
        type: 'https',
        method: 'GET',
        path: '/readyz',
        header: { Host: [`${site.slice(0, 2)}.failover.test`] },
        expected_codes: '200',
        expected_body: '"ready":true',
        interval: 15,
        timeout: 5,
        retries: 0,
        consecutive_down: 2,
        consecutive_up: 2,
        follow_redirects: false,
        allow_insecure: false,
      });
    }
    expect(await found(MONITORS)).toHaveLength(2);
  });

  it('answers with the first ready site, for no longer than a minute', async () => {
    const uk = await named(POOLS, 'failover-test-uk-primary');
    const eu = await named(POOLS, 'failover-test-eu-standby');
    expect(await named(BALANCERS, SERVICE_HOST)).toMatchObject({
      zone_name: 'failover.test',
      default_pools: [uk.id, eu.id],
      fallback_pool: uk.id,
      steering_policy: 'off',
      session_affinity: 'none',
      proxied: false,
      ttl: 60,
      enabled: true,
    });
    for (const [site, address] of Object.entries(ADDRESSES))
      expect(await named(RECORDS, `${site.slice(0, 2)}.failover.test`)).toMatchObject({
        content: address,
        ttl: 60,
        proxied: false,
      });
    expect(await addresses(SERVICE_HOST)).toEqual([]);
    expect(await world.outputs()).toMatchObject({ nameservers: NAMESERVERS });
  });

  it('tells people of both pools, when they change and when somebody switches them', async () => {
    const pool_id = [
      (await named(POOLS, 'failover-test-uk-primary')).id,
      (await named(POOLS, 'failover-test-eu-standby')).id,
    ];
    const mechanisms = { email: [{ id: 'on-call@example.com' }] };
    expect(await found(POLICIES)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          alert_type: 'load_balancing_health_alert',
          enabled: true,
          mechanisms,
          filters: { pool_id, new_health: ['Unhealthy', 'Healthy'], event_source: ['pool'] },
        }),
        expect.objectContaining({
          alert_type: 'load_balancing_pool_enablement_alert',
          enabled: true,
          mechanisms,
          filters: { pool_id, enabled: ['true', 'false'] },
        }),
      ]),
    );
  });

  it('keeps the lease and the publishes in the EU, where the agents are sent', async () => {
    expect(await world.ask(`GET ${BUCKETS}/failover-lease`, IN_THE_EU)).toMatchObject({
      jurisdiction: 'eu',
      storage_class: 'Standard',
    });
    await world.ask(`GET ${BUCKETS}/failover-snapshots`, IN_THE_EU);
    await expect(world.ask(`GET ${BUCKETS}/failover-lease`)).rejects.toThrow('10006');
    expect(await world.outputs()).toMatchObject({
      storeEndpoint: `https://${ACCOUNT_ID}.eu.r2.cloudflarestorage.com`,
      storeRegion: 'auto',
      leaseBucket: 'failover-lease',
      snapshotBucket: 'failover-snapshots',
    });
  });

  it('trap 34: keeps no secret in the state in the clear', expectNoSecretInState);

  it('changes a setting and nothing beside it', async () => {
    await world.configure({ dnsTtlSeconds: 30 });
    const put = [`PUT ${BALANCERS}/…`];
    expect(await writesOf(() => world.up())).toEqual(put);
    expect(await named(BALANCERS, SERVICE_HOST)).toMatchObject({ ttl: 30 });
    await world.configure();
    expect(await writesOf(() => world.up())).toEqual(put);
  }, 60_000);

  it('moves a site without making its pool anew, which answers are given from', async () => {
    const before = await named(POOLS, 'failover-test-eu-standby');
    const sites = (eu: string) =>
      Object.entries({ ...ADDRESSES, 'eu-standby': eu }).map(([site, address]) => ({
        site,
        host: `${site.slice(0, 2)}.failover.test`,
        addresses: [address],
      }));
    await world.configure({ sites: sites('203.0.113.20') });
    const changed = [`PUT ${POOLS}/…`, `PUT ${RECORDS}/…`];
    expect((await writesOf(() => world.up())).sort()).toEqual(changed);
    expect(await named(POOLS, 'failover-test-eu-standby')).toMatchObject({
      id: before.id,
      origins: [{ address: '203.0.113.20' }],
    });
    expect(await addresses('eu.failover.test')).toEqual(['203.0.113.20']);
    await world.configure();
    await world.up();
  }, 60_000);

  it('notices what somebody switched off or took away by hand, and puts it back', async () => {
    const { id, created_on, modified_on, ...pool } = await named(POOLS, 'failover-test-uk-primary');
    expect([created_on, modified_on]).not.toContain(undefined);
    await world.ask(`PUT ${POOLS}/${id}`, { body: { ...pool, enabled: false } });
    const [policy] = await found(POLICIES);
    await world.ask(`DELETE ${POLICIES}/${String(policy?.id)}`);
    await world.preview(...NO_CHANGES); // trusts the state
    expect(await refusal(world.preview('--refresh', ...NO_CHANGES))).toMatch(
      /no changes were expected for preview but changes were proposed/,
    );
    await world.up('--refresh');
    expect(await named(POOLS, 'failover-test-uk-primary')).toMatchObject({ id, enabled: true });
    expect(await found(POLICIES)).toHaveLength(2);
    await world.up('--refresh', ...NO_CHANGES);
  }, 90_000);

  it('is not taken away while data is protected, nor while the lease is in its bucket', async () => {
    expect(await refusal(world.destroy())).toMatch(/protected/);
    await world.configure({ protectData: false });
    await world.up();
    world.api.r2.hold('eu', 'failover-lease', true);
    expect(await refusal(world.destroy())).toContain('The bucket you tried to delete is not empty. (10008)');
    await world.ask(`GET ${BUCKETS}/failover-lease`, IN_THE_EU);
  }, 90_000);

  it('leaves nothing behind: balancer before pools, pools before monitors', async () => {
    world.api.r2.hold('eu', 'failover-lease', false);
    await world.destroy();
    for (const where of [BALANCERS, POOLS, MONITORS, POLICIES, RECORDS])
      expect(await found(where)).toEqual([]);
    expect(await world.ask(`GET ${BUCKETS}`, IN_THE_EU)).toEqual({ buckets: [] });
  }, 60_000);
});

describe('a zone without load balancing', () => {
  beforeAll(async () => {
    world = await CloudflareWorld.start('records');
    await world.up();
  }, 300_000);
  afterEach(() => world.configure());
  afterAll(() => world.dispose());

  it('has records alone, at 60 seconds, and nothing left to do', async () => {
    await world.up('--refresh', ...NO_CHANGES);
    expect(await found(RECORDS)).toHaveLength(3);
    for (const [name, content] of [
      [SERVICE_HOST, ADDRESSES['uk-primary']],
      ['uk.failover.test', ADDRESSES['uk-primary']],
      ['eu.failover.test', ADDRESSES['eu-standby']],
    ] as const)
      expect(await named(RECORDS, name)).toMatchObject({ type: 'A', content, ttl: 60, proxied: false });
    for (const where of [BALANCERS, POOLS, MONITORS, POLICIES]) expect(await found(where)).toEqual([]);
  }, 60_000);

  it('trap 34: keeps no secret in the state in the clear', expectNoSecretInState);

  it('leaves the service’s name where the agent of the lease’s holder moved it', async () => {
    const { id, name, type, ttl } = await named(RECORDS, SERVICE_HOST);
    const body = { name, type, ttl, content: ADDRESSES['eu-standby'] };
    await world.ask(`PATCH ${RECORDS}/${id}`, { body });
    expect(await writesOf(() => world.up(...NO_CHANGES))).toEqual([]);
    expect(await writesOf(() => world.up('--refresh', ...NO_CHANGES))).toEqual([]);
    expect(await addresses(SERVICE_HOST)).toEqual([ADDRESSES['eu-standby']]);
  }, 60_000);

  it('moves a site’s own name with its server, and leaves the service’s', async () => {
    const uk = '203.0.113.10';
    await world.configure({
      sites: [
        { site: 'uk-primary', host: 'uk.failover.test', addresses: [uk] },
        { site: 'eu-standby', host: 'eu.failover.test', addresses: [ADDRESSES['eu-standby']] },
      ],
    });
    expect(await writesOf(() => world.up())).toEqual([`PUT ${RECORDS}/…`]);
    expect(await addresses('uk.failover.test')).toEqual([uk]);
    expect(await addresses(SERVICE_HOST)).toEqual([ADDRESSES['eu-standby']]);
  }, 60_000);

  it('leaves nothing behind', async () => {
    await world.configure({ protectData: false });
    await world.up();
    await world.destroy();
    expect(await found(RECORDS)).toEqual([]);
  }, 60_000);
});

describe('an account that did not buy what the design needs is told so', () => {
  it.each([
    [
      'the interval of a lesser plan',
      { ...BOUGHT, interval: [60, 3600] as const },
      /interval is not in range \[60, 3600\]: validation failed \(1002\)/,
    ],
    ['one region to check from', { ...BOUGHT, maxRegions: 1 }, /at most 1 regions may probe/],
    [
      'no load balancing',
      { interval: [0, 0] as const, maxOrigins: 0, maxRegions: 0 },
      /interval is not in range \[0, 0\]: validation failed \(1002\)/,
    ],
  ])(
    '%s',
    async (_what, loadBalancing, message) => {
      world = await CloudflareWorld.start('balanced', loadBalancing);
      try {
        expect(await refusal(world.up())).toMatch(message);
        expect(await found(BALANCERS)).toEqual([]);
      } finally {
        await world.dispose();
      }
    },
    60_000,
  );
});

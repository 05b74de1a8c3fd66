import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryLeaseStore } from '../lease';
import { FakeReceivers, PAGERDUTY_KEY, SLACK_PATH } from './alerts/testing/fake-receivers';
import { FakeCloudflare, TOKEN, ZONE_ID } from './dns/testing/fake-cloudflare';
import { bootstrap, protect, seed } from './testing/failover-story';
import { FakeQdrant } from './testing/fake-qdrant';
import { MemorySnapshotStore } from './testing/memory-snapshot-store';
import { scratchFolder } from './testing/scratch';
import { TestSite, eventually } from './testing/two-sites';

jest.setTimeout(60_000);

const NAME = 'api.example.com';
const ADDRESS = { uk: '192.0.2.10', eu: '198.51.100.10' } as const;

let uk: TestSite;
let eu: TestSite;
let cloudflare: FakeCloudflare;
let receivers: FakeReceivers;
let qdrants: FakeQdrant[];
let staging: string;

beforeEach(async () => {
  cloudflare = new FakeCloudflare();
  receivers = new FakeReceivers();
  await Promise.all([cloudflare.listen(), receivers.listen()]);
  cloudflare.add(NAME, '203.0.113.1');
  const lease = new MemoryLeaseStore();
  const snapshots = new MemorySnapshotStore();
  snapshots.close = () => Promise.resolve();
  staging = mkdtempSync(join(scratchFolder(), 'staging-'));
  qdrants = [];
  const make = async (site: 'uk' | 'eu'): Promise<TestSite> => {
    const qdrant = new FakeQdrant();
    qdrants.push(qdrant);
    qdrant.snapshotsPath = join(staging, site);
    return new TestSite({
      site,
      qdrantPort: await qdrant.listen(),
      staging: join(staging, site, 'failover-staging'),
      leaseStore: () => lease,
      snapshotStore: () => snapshots,
      parts: snapshots,
      qdrantVersion: qdrant.version,
      outward: {
        dnsRecord: {
          provider: 'cloudflare',
          apiUrl: cloudflare.apiUrl,
          zoneId: ZONE_ID,
          name: NAME,
          addresses: [ADDRESS[site]],
        },
        alerts: {
          targets: [{ kind: 'pagerduty', url: `${receivers.origin}/v2/enqueue` }, { kind: 'slack' }],
        },
        credentials: {
          dnsToken: TOKEN,
          alerts: { pagerduty: PAGERDUTY_KEY, slack: `${receivers.origin}${SLACK_PATH}` },
        },
      },
    });
  };
  uk = await make('uk');
  eu = await make('eu');
});

afterEach(async () => {
  await Promise.all([uk.dispose(), eu.dispose()]);
  await Promise.all([...qdrants.map((qdrant) => qdrant.close()), cloudflare.close(), receivers.close()]);
  rmSync(staging, { recursive: true, force: true });
});

const told = (text: string) =>
  eventually(text, () => receivers.of('slack').some(({ body }) => String(body['text']).includes(text)));

it('moves the name with the lease and tells people, and a fenced site does neither more', async () => {
  await bootstrap({ uk, eu, count: () => Promise.resolve(0) });
  await eventually('the name is at uk', () => cloudflare.addresses(NAME)[0] === ADDRESS.uk);
  await seed({ uk, eu, count: () => Promise.resolve(0) }, 5);
  await protect(uk, eu);
  expect(eu.status().dnsRecord).toMatchObject({ state: 'not-holder' });

  await uk.halt();
  await eventually('the name is at eu', () => cloudflare.addresses(NAME)[0] === ADDRESS.eu);
  await told('*CRITICAL* eu has taken over (epoch 2, expired)');
  await eventually('eu says so', () => eu.status().dnsRecord?.state === 'here');

  const writes = cloudflare.writes().length;
  await uk.start();
  await told('*WARNING* uk is fenced');
  expect(uk.status().dnsRecord).toMatchObject({ state: 'not-holder', moves: 0 });
  expect(uk.status().alerts?.open).toContainEqual(
    expect.objectContaining({ key: 'fenced', severity: 'warning' }),
  );
  expect(cloudflare.writes()).toHaveLength(writes);
  expect(cloudflare.addresses(NAME)).toEqual([ADDRESS.eu]);

  const actions = receivers.of('pagerduty').map(({ body }) => `${body['event_action']} ${body['dedup_key']}`);
  expect(actions.sort()).toEqual(['trigger failover:eu:took-over-2', 'trigger failover:uk:fenced']);
});

it('shows how it goes, and neither the token nor a key', async () => {
  await bootstrap({ uk, eu, count: () => Promise.resolve(0) });
  await eventually('the name is at uk', () => uk.status().dnsRecord?.state === 'here');
  cloudflare.faults.push({ method: 'GET', fault: 'server-error' });
  receivers.refusals.push({ status: 503 });
  uk.engine.mode = 'failing';
  await told('inference of uk is failing');
  const metrics = String((await uk.call('GET', '/metrics')).body['text']);
  expect(metrics).toContain('failover_dns_record_here{site="uk"} 1');
  expect(metrics).toMatch(/failover_alerts_open\{severity="critical",site="uk"\} [1-9]/);
  expect(metrics).toMatch(/failover_alert_messages_delivered\{target="slack",site="uk"\} [1-9]/);
  const seen = [metrics, JSON.stringify((await uk.call('GET', '/status')).body)].join();
  for (const secret of [TOKEN, PAGERDUTY_KEY, SLACK_PATH]) expect(seen).not.toContain(secret);
});

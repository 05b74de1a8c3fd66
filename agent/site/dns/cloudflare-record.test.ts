import { DnsRecordSpec } from '../../../infra/contract/outward-spec';
import type { SiteClock } from '../ports';
import { FakeKeeper } from '../testing/fake-keeper';
import { CloudflareClient } from './cloudflare-client';
import { CloudflareRecord } from './cloudflare-record';
import { FakeCloudflare, TOKEN, ZONE_ID } from './testing/fake-cloudflare';

const NAME = 'api.example.com';
const UK = '192.0.2.10';
const EU = '198.51.100.10';

let api: FakeCloudflare;
let keeper: FakeKeeper;
let events: string[];
let now: number;
const opened: CloudflareClient[] = [];

const clock: SiteClock = { bootId: 'b', monotonicMs: () => now, wallIso: () => '2026-01-01T00:00:00.000Z' };

beforeEach(async () => {
  api = new FakeCloudflare();
  await api.listen();
  keeper = new FakeKeeper('eu', 'eu');
  events = [];
  now = 0;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((client) => client.close()));
  await api.close();
});

interface Setup {
  readonly addresses?: string[];
  readonly token?: string;
  readonly checkIntervalSeconds?: number;
  readonly requestTimeoutSeconds?: number;
}

function mover({ token = TOKEN, ...spec }: Setup = {}): CloudflareRecord {
  const full = DnsRecordSpec.parse({
    provider: 'cloudflare',
    apiUrl: api.apiUrl,
    zoneId: ZONE_ID,
    name: NAME,
    addresses: [EU],
    ...spec,
  });
  const client = new CloudflareClient({ apiUrl: full.apiUrl, zoneId: full.zoneId, token });
  opened.push(client);
  return new CloudflareRecord({
    spec: full,
    client,
    keeper,
    clock,
    record: (kind, detail) => void events.push(`${kind} ${detail}`),
    random: () => 0.5,
  });
}

describe('pointing the name at the holder', () => {
  it('changes the address alone, verifies it, and tells', async () => {
    const record = api.add(NAME, UK);
    api.add('uk.example.com', UK);
    api.add(NAME, 'a text', 'TXT');
    const moved = mover();
    expect(await moved.round()).toBe(30_000);
    expect(api.addresses(NAME)).toEqual([EU]);
    expect(api.addresses('uk.example.com')).toEqual([UK]);
    const path = `/client/v4/zones/${ZONE_ID}/dns_records`;
    const list = { method: 'GET', path: `${path}?type=A&name.exact=${NAME}&per_page=100`, body: null };
    expect(api.seen).toEqual([
      list,
      {
        method: 'PATCH',
        path: `${path}/${record.id}`,
        body: { name: NAME, type: 'A', ttl: 60, content: EU },
      },
      list,
    ]);
    expect(moved.view()).toEqual({
      name: NAME,
      state: 'here',
      detail: 'verified under epoch 1',
      failures: 0,
      moves: 1,
      checkedAgeSeconds: 0,
    });
    expect(events).toEqual([`switch-step ${NAME} moved from ${UK} to ${EU}`]);
  });

  it('writes nothing when the name is right already, and moves it back when somebody moves it', async () => {
    const record = api.add(NAME, EU);
    const moved = mover();
    await moved.round();
    expect(api.writes()).toEqual([]);
    record.content = UK;
    await moved.round();
    expect(api.addresses(NAME)).toEqual([EU]);
  });

  it('moves several records, and only those that are wrong', async () => {
    const [first, second] = [api.add(NAME, UK), api.add(NAME, EU)];
    await mover({ addresses: [EU, '198.51.100.11'] }).round();
    expect(api.writes()).toHaveLength(1);
    expect([first.content, second.content]).toEqual(['198.51.100.11', EU]);
  });

  it.each([0, 2])('moves nothing when there are %i records for one address', async (count) => {
    for (let n = 0; n < count; n += 1) api.add(NAME, `203.0.113.${n}`);
    const moved = mover();
    await moved.round();
    expect(api.writes()).toEqual([]);
    expect(moved.view()).toMatchObject({
      state: 'failing',
      detail: expect.stringContaining('DNS_RECORD_COUNT'),
    });
  });
});

describe('only while the lease is held', () => {
  it.each<[string, () => void]>([
    ['the peer holds it', () => (keeper.holder = 'uk')],
    ['it has run out', () => (keeper.expired = true)],
    ['none was seen', () => (keeper.holder = null)],
  ])('asks and writes nothing when %s', async (_why, become) => {
    api.add(NAME, UK);
    become();
    const moved = mover();
    await moved.round();
    expect(api.seen).toEqual([]);
    expect(moved.view()).toMatchObject({ state: 'not-holder', failures: 0, checkedAgeSeconds: null });
  });

  it('writes nothing when the lease ends between the look at the records and the write', async () => {
    api.add(NAME, UK);
    const moved = mover();
    const round = moved.round();
    // The request for the list is on its way: what follows it must ask again.
    keeper.expired = true;
    await round;
    expect(api.writes()).toEqual([]);
    expect(moved.view().state).toBe('not-holder');
    expect(events).toEqual([]);
  });

  it('writes nothing under another epoch than it began with', async () => {
    api.add(NAME, UK);
    const round = mover().round();
    keeper.leaseEpoch = 3;
    await round;
    expect(api.writes()).toEqual([]);
  });

  it('stops between two writes when the lease ends', async () => {
    api.add(NAME, UK);
    api.add(NAME, '192.0.2.11');
    api.beforeEdit = async () => {
      keeper.expired = true;
    };
    await mover({ addresses: [EU, '198.51.100.11'] }).round();
    expect(api.writes()).toHaveLength(1);
  });

  it('waits for a write no longer than the lease lasts', async () => {
    api.add(NAME, UK);
    api.faults.push({ method: 'PATCH', fault: 'hang' });
    keeper.writableForSeconds = () => 0.2;
    const moved = mover({ requestTimeoutSeconds: 60 });
    await moved.round();
    expect(moved.view()).toMatchObject({ state: 'failing', detail: expect.stringMatching(/within \d+ ms/) });
    expect(Number(/within (\d+) ms/.exec(moved.view().detail)?.[1])).toBeLessThanOrEqual(200);
  });

  it('is moved by the new holder although the old one comes late', async () => {
    const record = api.add(NAME, UK);
    const moved = mover();
    await moved.round();
    // The old holder's write, sent in time and carried out only now.
    record.content = UK;
    await moved.round();
    expect(api.addresses(NAME)).toEqual([EU]);
    expect(moved.view().moves).toBe(2);
  });
});

describe('when the API fails', () => {
  it.each([
    ['server-error', "DNS_API_UNREACHABLE: Cloudflare's API answered 500 to GET: 1000 Internal error"],
    ['not-json', "DNS_API_UNREACHABLE: Cloudflare's API answered 502 to GET"],
  ] as const)('shows %s and tries again sooner than usual', async (fault, detail) => {
    api.add(NAME, UK);
    api.faults.push({ method: 'GET', fault });
    const moved = mover();
    expect(await moved.round()).toBe(1_000);
    expect(moved.view()).toMatchObject({ state: 'failing', failures: 1 });
    expect(moved.view().detail).toContain(detail);
    expect(await moved.round()).toBe(30_000);
    expect(moved.view().state).toBe('here');
  });

  it('doubles the pause up to the interval, and tells once for a row of failures', async () => {
    const moved = mover({ checkIntervalSeconds: 10 });
    const pauses: number[] = [];
    for (let n = 0; n < 6; n += 1) {
      api.faults.push({ method: 'GET', fault: 'server-error' });
      pauses.push(await moved.round());
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(events.filter((event) => event.startsWith('alert DNS_RECORD'))).toHaveLength(1);
  });

  it('waits as long as a rate limit asks for', async () => {
    api.faults.push({ method: 'GET', fault: 'rate-limited' });
    const moved = mover();
    expect(await moved.round()).toBe(7_000);
    expect(moved.view().detail).toContain('DNS_API_RATE_LIMITED');
  });

  it('says what to check when the token is refused, and never shows it', async () => {
    api.add(NAME, UK);
    const moved = mover({ token: 'token-of-nothing' });
    await moved.round();
    expect(moved.view().detail).toContain('10000 Authentication error');
    expect(moved.view().detail).toContain('Check the token');
    expect(JSON.stringify([moved.view(), events])).not.toContain('token-of-nothing');
  });

  it('finds out that a write was carried out although its answer was lost', async () => {
    api.add(NAME, UK);
    api.faults.push({ method: 'PATCH', fault: 'lost-answer' });
    const moved = mover();
    await moved.round();
    expect(moved.view().state).toBe('failing');
    await moved.round();
    expect(moved.view().state).toBe('here');
    expect(api.writes()).toHaveLength(1);
  });

  it('does not believe a success that changed nothing', async () => {
    api.add(NAME, UK);
    api.faults.push({ method: 'PATCH', fault: 'ignored' });
    const moved = mover();
    await moved.round();
    expect(moved.view().detail).toContain(`DNS_RECORD_NOT_MOVED: ${NAME} still answers ${UK}`);
  });

  it('starts over when somebody else made the record that it was about to make', async () => {
    api.add(NAME, UK);
    api.add(NAME, '192.0.2.11');
    api.beforeEdit = async () => {
      api.beforeEdit = () => Promise.resolve();
      const last = api.records[1];
      if (last !== undefined) last.content = EU;
    };
    const moved = mover({ addresses: [EU, '198.51.100.11'] });
    await moved.round();
    expect(moved.view().detail).toContain('81058');
    await moved.round();
    expect(api.addresses(NAME).sort()).toEqual([EU, '198.51.100.11']);
  });
});

it('looks at once when it is woken, and answers nothing after it was stopped', async () => {
  api.add(NAME, UK);
  keeper.holder = 'uk';
  const moved = mover();
  moved.start();
  keeper.holder = 'eu';
  moved.wake();
  while (moved.view().state !== 'here') await new Promise((resolve) => setTimeout(resolve, 5));
  await moved.stop();
  const asked = api.seen.length;
  moved.wake();
  expect(api.seen).toHaveLength(asked);
});

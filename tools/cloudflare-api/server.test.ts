import { CloudflareApi } from './server';

const ACCOUNT = 'a'.repeat(32);
const ZONE = 'b'.repeat(32);
const UNKNOWN = 'c'.repeat(32);
const TOKEN = 'token';

let api: CloudflareApi;
beforeEach(async () => {
  api = await CloudflareApi.start({
    accountId: ACCOUNT,
    token: TOKEN,
    zones: [{ id: ZONE, name: 'example.com', nameServers: ['ada.ns.cloudflare.com'] }],
    loadBalancing: { interval: [60, 3600], maxOrigins: 2, maxRegions: 1 },
  });
});
afterEach(() => api.stop());

interface Answer {
  readonly status: number;
  readonly success: boolean;
  readonly errors: readonly { readonly code: number; readonly message: string }[];
  readonly messages: readonly unknown[];
  readonly result: Readonly<Record<string, unknown>>;
}

async function ask(call: string, body?: object, headers: object = {}): Promise<Answer> {
  const [method = '', path = ''] = call.split(' ');
  const response = await fetch(`${api.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) };
}
async function made(call: string, body: object): Promise<string> {
  const { success, errors, result } = await ask(call, body);
  if (!success) throw new Error(JSON.stringify(errors));
  return String(result['id']);
}
const refused = ({ status, errors, success }: Answer) => ({ status, success, code: errors[0]?.code });

const RECORDS = `/zones/${ZONE}/dns_records`;
const BALANCERS = `/zones/${ZONE}/load_balancers`;
const POOLS = `/accounts/${ACCOUNT}/load_balancers/pools`;
const MONITORS = `/accounts/${ACCOUNT}/load_balancers/monitors`;
const POLICIES = `/accounts/${ACCOUNT}/alerting/v3/policies`;
const WEBHOOKS = `/accounts/${ACCOUNT}/alerting/v3/destinations/webhooks`;
const BUCKETS = `/accounts/${ACCOUNT}/r2/buckets`;
const RECORD = { name: 'api.example.com', type: 'A', content: '192.0.2.10', ttl: 60 };
const POOL = { name: 'uk', origins: [{ name: 'uk-1', address: '192.0.2.10' }], check_regions: ['WEU'] };

describe('the emulated Cloudflare', () => {
  it('answers in the envelope', async () => {
    expect(await ask(`GET /zones/${ZONE}`)).toMatchObject({
      status: 200,
      success: true,
      errors: [],
      messages: [],
      result: { id: ZONE, name: 'example.com', name_servers: ['ada.ns.cloudflare.com'] },
    });
    expect(await ask(`GET ${RECORDS}`)).toMatchObject({ result: [], result_info: { total_count: 0 } });
  });

  it.each([
    ['another token', `GET /zones/${ZONE}`, undefined, { authorization: 'Bearer x' }, 403, 10000],
    ['a path that it has not', 'GET /user/tokens', undefined, {}, 404, 7000],
    ['another zone', `GET /zones/${UNKNOWN}/dns_records`, undefined, {}, 404, 7003],
    ['another account', `GET /accounts/${UNKNOWN}/r2/buckets`, undefined, {}, 404, 7003],
    ['a record that is not there', `GET ${RECORDS}/${UNKNOWN}`, undefined, {}, 404, 81044],
    ['no address', `POST ${RECORDS}`, { ...RECORD, content: 'uk' }, {}, 400, 9005],
    ['a field that it has not', `POST ${RECORDS}`, { ...RECORD, weight: 1 }, {}, 400, 9005],
    ['a TTL below 60', `POST ${RECORDS}`, { ...RECORD, ttl: 30 }, {}, 400, 9021],
    ['checks too often for the plan', `POST ${MONITORS}`, { interval: 15 }, {}, 400, 1002],
    ['no regions below Enterprise', `POST ${POOLS}`, { ...POOL, check_regions: null }, {}, 400, 1002],
    [
      'more regions than were bought',
      `POST ${POOLS}`,
      { ...POOL, check_regions: ['WEU', 'EEU'] },
      {},
      400,
      1002,
    ],
    ['a monitor that is not there', `POST ${POOLS}`, { ...POOL, monitor: UNKNOWN }, {}, 400, 1002],
    ['a name with a dot', `POST ${POOLS}`, { ...POOL, name: 'uk.example' }, {}, 400, 1002],
    [
      'a pool that is not there',
      `POST ${BALANCERS}`,
      { name: 'api.example.com', default_pools: [UNKNOWN], fallback_pool: UNKNOWN },
      {},
      400,
      1002,
    ],
    ['a name for no bucket', `POST ${BUCKETS}`, { name: 'Lease' }, {}, 400, 10005],
    ['a bucket that is not there', `DELETE ${BUCKETS}/lease`, undefined, {}, 404, 10006],
  ])('refuses %s', async (_what, call, body, headers, status, code) => {
    expect(refused(await ask(call, body, headers))).toEqual({ status, success: false, code });
    expect(api.writes).toEqual([]);
  });

  it('has no two alike', async () => {
    await made(`POST ${RECORDS}`, RECORD);
    expect(refused(await ask(`POST ${RECORDS}`, RECORD))).toMatchObject({ code: 81058 });
    await made(`POST ${POOLS}`, POOL);
    expect(refused(await ask(`POST ${POOLS}`, POOL))).toMatchObject({ status: 400, code: 1003 });
    await ask(`POST ${BUCKETS}`, { name: 'lease' });
    expect(refused(await ask(`POST ${BUCKETS}`, { name: 'lease' }))).toMatchObject({
      status: 409,
      code: 10004,
    });
    const elsewhere = await ask(`POST ${BUCKETS}`, { name: 'lease' }, { 'cf-r2-jurisdiction': 'eu' });
    expect(elsewhere.result).toMatchObject({ jurisdiction: 'eu' });
  });

  it('deletes nothing that another refers to', async () => {
    const monitor = await made(`POST ${MONITORS}`, {});
    const pool = await made(`POST ${POOLS}`, { ...POOL, monitor });
    const name = 'api.example.com';
    const balancer = await made(`POST ${BALANCERS}`, { name, default_pools: [pool], fallback_pool: pool });
    const inUse = { status: 412, success: false, code: 1005 };
    expect(refused(await ask(`DELETE ${MONITORS}/${monitor}`))).toEqual(inUse);
    expect(refused(await ask(`DELETE ${POOLS}/${pool}`))).toEqual(inUse);
    for (const one of [`${BALANCERS}/${balancer}`, `${POOLS}/${pool}`, `${MONITORS}/${monitor}`])
      expect(await ask(`DELETE ${one}`)).toMatchObject({ status: 200, success: true });
  });

  it('changes with PATCH what is given, and with PUT everything', async () => {
    const id = await made(`POST ${RECORDS}`, { ...RECORD, comment: 'ours' });
    const { result: patched } = await ask(`PATCH ${RECORDS}/${id}`, { content: '192.0.2.11' });
    expect(patched).toMatchObject({ content: '192.0.2.11', comment: 'ours', ttl: 60 });
    expect((await ask(`PUT ${RECORDS}/${id}`, RECORD)).result).toMatchObject({ id, comment: null });
  });

  it('answers the id alone of what notifies, and never a secret', async () => {
    const url = 'https://hooks.slack.com/services/x';
    const told = await ask(`POST ${WEBHOOKS}`, { name: 'slack', url, secret: 'only ours' });
    expect(Object.keys(told.result)).toEqual(['id']);
    const webhook = String(told.result['id']);
    const { result } = await ask(`GET ${WEBHOOKS}/${webhook}`);
    expect(result).toMatchObject({ url, type: 'slack' });
    expect(result).not.toHaveProperty('secret');
    const policy = {
      name: 'readiness',
      alert_type: 'load_balancing_health_alert',
      enabled: true,
      mechanisms: { webhooks: [{ id: webhook }] },
      filters: { pool_id: [UNKNOWN], new_health: ['Unhealthy'], event_source: ['pool'] },
    };
    await made(`POST ${POLICIES}`, policy);
    for (const change of [
      { filters: { pool_ids: [UNKNOWN] } },
      { filters: { enabled: ['true'] } },
      { mechanisms: {} },
      { mechanisms: { webhooks: [{ id: '00000000-0000-4000-8000-000000000000' }] } },
      { alert_type: 'no_such_alert' },
    ])
      expect(refused(await ask(`POST ${POLICIES}`, { ...policy, ...change }))).toMatchObject({ status: 400 });
  });
});

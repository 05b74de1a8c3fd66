import { AlertsSpec } from '../../../infra/contract/outward-spec';
import type { Entry } from './outbox';
import {
  FakeReceivers,
  GENERIC_PATH,
  OPSGENIE_KEY,
  PAGERDUTY_KEY,
  SLACK_PATH,
} from './testing/fake-receivers';
import { type AlertMessage, AlertRefusedError, AlertUndeliveredError, WebhookSender } from './webhook';

let receivers: FakeReceivers;
const opened: WebhookSender[] = [];

beforeEach(async () => {
  receivers = new FakeReceivers();
  await receivers.listen();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((sender) => sender.close()));
  await receivers.close();
});

const ENTRY: Entry = {
  key: 'fenced',
  severity: 'critical',
  summary: 'uk is fenced',
  detail: 'No <site> holds & serves.',
  since: '2026-01-01T00:00:00.000Z',
  over: null,
  epoch: 3,
  told: {},
};
const trigger = (more: Partial<Entry> = {}): AlertMessage => ({
  action: 'trigger',
  entry: { ...ENTRY, ...more },
});
const RESOLVE: AlertMessage = {
  action: 'resolve',
  entry: { ...ENTRY, over: '2026-01-01T00:05:00.000Z' },
};
const SECRETS = {
  pagerduty: () => PAGERDUTY_KEY,
  opsgenie: () => OPSGENIE_KEY,
  slack: () => `${receivers.origin}${SLACK_PATH}`,
  generic: () => `${receivers.origin}${GENERIC_PATH}`,
};
type Kind = keyof typeof SECRETS;

function sender(kind: Kind, secret = SECRETS[kind](), timeoutMs = 2_000): WebhookSender {
  const urls: Partial<Record<Kind, string>> = { pagerduty: '/v2/enqueue', opsgenie: '/v2/alerts' };
  const path = urls[kind];
  const target = path === undefined ? { kind } : { kind, url: `${receivers.origin}${path}` };
  const [parsed] = AlertsSpec.parse({ targets: [target] }).targets;
  const made = new WebhookSender(parsed!, secret, { site: 'uk', siteHost: 'uk.example.com' }, timeoutMs);
  opened.push(made);
  return made;
}

it('sends PagerDuty events of the Events API v2', async () => {
  const to = sender('pagerduty');
  await to.send(trigger());
  await to.send(RESOLVE);
  expect(receivers.received.map(({ body }) => body)).toEqual([
    {
      routing_key: PAGERDUTY_KEY,
      event_action: 'trigger',
      dedup_key: 'failover:uk:fenced',
      client: 'failover-agent',
      payload: {
        summary: 'uk is fenced',
        source: 'uk.example.com',
        severity: 'critical',
        timestamp: '2026-01-01T00:00:00.000Z',
        component: 'failover-agent',
        group: 'uk',
        class: 'fenced',
        custom_details: { detail: 'No <site> holds & serves.', epoch: 3 },
      },
    },
    { routing_key: PAGERDUTY_KEY, event_action: 'resolve', dedup_key: 'failover:uk:fenced' },
  ]);
});

it('makes and closes Opsgenie alerts by their alias', async () => {
  const to = sender('opsgenie');
  await to.send(trigger({ severity: 'warning', epoch: null }));
  await to.send(RESOLVE);
  expect(receivers.received).toEqual([
    {
      kind: 'opsgenie-create',
      path: '/v2/alerts',
      body: {
        message: 'uk is fenced',
        alias: 'failover:uk:fenced',
        description: 'No <site> holds & serves.',
        entity: 'uk.example.com',
        source: 'failover-agent',
        priority: 'P3',
        tags: ['failover', 'uk'],
        details: { class: 'fenced', epoch: 'none', since: '2026-01-01T00:00:00.000Z' },
      },
    },
    {
      kind: 'opsgenie-close',
      path: '/v2/alerts/failover%3Auk%3Afenced/close?identifierType=alias',
      body: { source: 'failover-agent', note: 'Over since 2026-01-01T00:05:00.000Z' },
    },
  ]);
});

it('writes to Slack what a person reads, with its markup escaped', async () => {
  const to = sender('slack');
  await to.send(trigger());
  await to.send(RESOLVE);
  expect(receivers.received.map(({ body }) => body['text'])).toEqual([
    '*CRITICAL* uk is fenced\nNo &lt;site&gt; holds &amp; serves.\nsince 2026-01-01T00:00:00.000Z',
    '*OVER* uk is fenced\nfrom 2026-01-01T00:00:00.000Z to 2026-01-01T00:05:00.000Z',
  ]);
});

it('sends everybody else plain JSON', async () => {
  const to = sender('generic');
  await to.send(trigger());
  await to.send(RESOLVE);
  const common = {
    version: 1,
    dedupKey: 'failover:uk:fenced',
    site: 'uk',
    siteHost: 'uk.example.com',
    key: 'fenced',
    severity: 'critical',
    summary: 'uk is fenced',
    detail: 'No <site> holds & serves.',
    since: '2026-01-01T00:00:00.000Z',
    epoch: 3,
  };
  expect(receivers.received.map(({ body }) => body)).toEqual([
    { ...common, action: 'trigger', over: null },
    { ...common, action: 'resolve', over: '2026-01-01T00:05:00.000Z' },
  ]);
});

it.each<Kind>(['pagerduty', 'opsgenie', 'slack'])('stays within the bounds of %s', async (kind) => {
  await sender(kind).send(trigger({ summary: 's'.repeat(2_000), detail: 'd'.repeat(50_000) }));
  expect(receivers.received).toHaveLength(1);
});

describe('when a target does not take it', () => {
  it.each([400, 413, 422])('gives a message up at %i', async (status) => {
    receivers.refusals.push({ status });
    await expect(sender('pagerduty').send(trigger())).rejects.toThrow(AlertRefusedError);
  });

  it.each([302, 401, 403, 404, 410, 500, 503])('may try again after %i', async (status) => {
    receivers.refusals.push({ status });
    await expect(sender('slack').send(trigger())).rejects.toThrow(AlertUndeliveredError);
  });

  it('waits as long as it is asked to', async () => {
    receivers.refusals.push({ status: 429, headers: { 'retry-after': '30' } });
    await expect(sender('slack').send(trigger())).rejects.toMatchObject({ retryAfterMs: 30_000 });
  });

  it('does not wait for ever', async () => {
    receivers.hang = true;
    await expect(sender('generic', undefined, 50).send(trigger())).rejects.toThrow(AlertUndeliveredError);
  });

  it('never quotes a key that the target quotes', async () => {
    receivers.refusals.push({ status: 400, body: `"routing_key": "${PAGERDUTY_KEY}" is not known` });
    await expect(sender('pagerduty').send(trigger())).rejects.toThrow(
      'pagerduty answered 400: "routing_key": "[hidden]" is not known',
    );
  });

  it.each([
    ['slack', 'http://127.0.0.1:1/services/slack-secret'],
    ['slack', 'slack-secret'],
    ['slack', 'http://hooks.example.com/slack-secret'],
    ['generic', 'https://slack-secret:x'],
    ['opsgenie', 'slack-secret'],
  ] as const)('never quotes an address or a key (%s, %s)', async (kind, secret) => {
    const error: unknown = await sender(kind, secret)
      .send(trigger())
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AlertUndeliveredError);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('slack-secret');
  });
});

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentEvent } from '../../../infra/contract/agent-api';
import { AlertsSpec, type AlertTargetKind } from '../../../infra/contract/outward-spec';
import { createLogger } from '../../shared/logger';
import { scratchFolder } from '../testing/scratch';
import { eventually } from '../testing/two-sites';
import { Alerts, type AlertSender, type AlertsOptions } from './alerts';
import { WELL } from './testing/well';
import { AlertRefusedError, AlertUndeliveredError, type AlertMessage } from './webhook';

class Target implements AlertSender {
  readonly got: string[] = [];
  /** Taken off one by one. */
  readonly failures: Error[] = [];
  away = false;
  closed = false;

  async send({ action, entry }: AlertMessage): Promise<void> {
    if (this.away) throw new AlertUndeliveredError('away');
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    this.got.push(`${action} ${entry.key} ${entry.severity}`);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

type Facts = ReturnType<AlertsOptions['facts']>;
const SICK: Facts = {
  ...WELL,
  canary: { ...WELL.canary, inference: { health: 'failing', detail: 'hung' } },
};
const FENCED: Facts = { ...WELL, state: 'fenced', holds: false, lease: { epoch: 4, holder: 'eu' } };

let folder: string;
let facts: Facts;
let codes: string[];
let now: number;
let looks = 0;
const running: Alerts[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(scratchFolder(), 'alerts-'));
  facts = WELL;
  codes = [];
  now = 0;
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((alerts) => alerts.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function started(senders: Partial<Record<AlertTargetKind, AlertSender>>): Promise<Alerts> {
  const alerts = new Alerts({
    site: 'uk',
    spec: AlertsSpec.parse({ targets: [{ kind: 'slack' }], unprotectedAfterSeconds: 300 }),
    senders,
    facts: () => {
      looks += 1;
      return facts;
    },
    leaseAlerts: () => codes,
    path: join(folder, 'alerts.json'),
    clock: { bootId: 'b', monotonicMs: () => now, wallIso: () => new Date(now).toISOString() },
    logger: createLogger('test', 'silent'),
    intervalMs: 5,
    delivery: { random: () => 0.5, firstRetryMs: 5 },
  });
  running.push(alerts);
  await alerts.start();
  return alerts;
}
async function stopped(alerts: Alerts): Promise<void> {
  running.splice(running.indexOf(alerts), 1);
  await alerts.stop();
}
const event = (kind: AgentEvent['kind'], detail: string): AgentEvent => ({
  at: '2026-01-01T00:00:00.000Z',
  site: 'uk',
  kind,
  detail,
  epoch: 4,
});
const told = (target: Target, ...messages: string[]) =>
  eventually(
    `${messages.join(', ')}, not ${target.got.join(', ')}`,
    () => target.got.length === messages.length,
    5,
  ).then(() => expect(target.got).toEqual(messages));
/** After these nothing more should have been told. */
function severalLooks(): Promise<void> {
  const enough = looks + 5;
  return eventually('several looks', () => looks >= enough, 5);
}

it('tells once that something has begun, and once that it is over', async () => {
  const slack = new Target();
  const alerts = await started({ slack });
  facts = SICK;
  await told(slack, 'trigger canary-inference critical');
  expect(alerts.view().open).toMatchObject([{ key: 'canary-inference', severity: 'critical' }]);
  await severalLooks();
  facts = WELL;
  await told(slack, 'trigger canary-inference critical', 'resolve canary-inference critical');
  await severalLooks();
  expect(slack.got).toHaveLength(2);
  expect(alerts.view().open).toEqual([]);
});

it('tells again when it becomes worse', async () => {
  const slack = new Target();
  facts = FENCED;
  await started({ slack });
  await told(slack, 'trigger fenced warning');
  facts = { ...FENCED, lease: { epoch: 4, holder: 'uk' } };
  await told(slack, 'trigger fenced warning', 'trigger fenced critical');
});

it('waits for what may pass by itself', async () => {
  const slack = new Target();
  facts = { ...WELL, state: 'unprotected' };
  await started({ slack });
  now = 299_000;
  await severalLooks();
  expect(slack.got).toEqual([]);
  now = 300_000;
  await told(slack, 'trigger unprotected error');
});

it('begins to wait anew when it was well in between', async () => {
  const slack = new Target();
  facts = { ...WELL, state: 'unprotected' };
  await started({ slack });
  facts = WELL;
  await severalLooks();
  now = 299_000;
  facts = { ...WELL, state: 'unprotected' };
  await severalLooks();
  now = 301_000;
  await severalLooks();
  expect(slack.got).toEqual([]);
});

it('tells of a take-over even when it is over before anybody could be told', async () => {
  const slack = new Target();
  const alerts = await started({ slack });
  alerts.onEvent(event('claimed', 'epoch 4, handed over by eu'));
  await told(slack, 'trigger took-over-4 warning', 'resolve took-over-4 warning');
});

it('passes on what the lease keeper said, for as long as it says so', async () => {
  const slack = new Target();
  facts = { ...FENCED, state: 'standby', promotable: { promotable: true, reasons: [] } };
  const alerts = await started({ slack });
  codes = ['CLAIM_BLOCKED_MANUAL'];
  alerts.onEvent(event('alert', 'CLAIM_BLOCKED_MANUAL: the lease has run out'));
  await told(slack, 'trigger promotion-pending critical');
  codes = [];
  await told(slack, 'trigger promotion-pending critical', 'resolve promotion-pending critical');
});

describe('when a target is away', () => {
  it('tells the others, and tells it when it is back, each thing once', async () => {
    const [slack, generic] = [new Target(), new Target()];
    slack.away = true;
    const alerts = await started({ slack, generic });
    facts = SICK;
    await told(generic, 'trigger canary-inference critical');
    facts = WELL;
    await told(generic, 'trigger canary-inference critical', 'resolve canary-inference critical');
    expect(alerts.view().targets).toMatchObject([
      { kind: 'slack', waiting: 1, trouble: 'away' },
      { waiting: 0 },
    ]);
    slack.away = false;
    await told(slack, 'trigger canary-inference critical', 'resolve canary-inference critical');
  });

  it('does not grow with what happens meanwhile', async () => {
    const slack = new Target();
    slack.away = true;
    const alerts = await started({ slack });
    for (let n = 0; n < 10; n += 1) {
      facts = n % 2 === 0 ? SICK : WELL;
      await severalLooks();
    }
    expect(alerts.view().targets[0]?.waiting).toBe(1);
    for (let epoch = 4; epoch < 300; epoch += 1) alerts.onEvent(event('claimed', `epoch ${epoch}, expired`));
    expect(alerts.view().targets[0]?.waiting).toBeLessThanOrEqual(100);
  });

  it('gives up a message that it will never take, and goes on with the next', async () => {
    const slack = new Target();
    slack.failures.push(new AlertRefusedError('not like this'));
    const alerts = await started({ slack });
    facts = { ...SICK, publishedAgeSeconds: 4000 };
    await told(slack, 'trigger rpo error');
    expect(alerts.view().targets).toMatchObject([{ refused: 1, delivered: 1, trouble: null }]);
  });
});

describe('after a restart', () => {
  it('neither repeats what was told nor forgets to say that it is over', async () => {
    const before = new Target();
    facts = SICK;
    const first = await started({ slack: before });
    await told(before, 'trigger canary-inference critical');
    await stopped(first);
    expect(before.closed).toBe(true);
    const after = new Target();
    await started({ slack: after });
    await severalLooks();
    expect(after.got).toEqual([]);
    facts = WELL;
    await told(after, 'resolve canary-inference critical');
  });

  it('takes nothing for over as long as it knows nothing of the site', async () => {
    const before = new Target();
    facts = FENCED;
    const first = await started({ slack: before });
    await told(before, 'trigger fenced warning');
    await stopped(first);
    facts = { ...FENCED, state: 'unknown', lease: null };
    const after = new Target();
    await started({ slack: after });
    await severalLooks();
    expect(after.got).toEqual([]);
    facts = FENCED;
    await severalLooks();
    expect(after.got).toEqual([]);
  });

  it('tells a target what it had not been told', async () => {
    const away = new Target();
    away.away = true;
    facts = SICK;
    const first = await started({ slack: away });
    await eventually('it is on disk', () => existsSync(join(folder, 'alerts.json')), 5);
    await stopped(first);
    const back = new Target();
    await started({ slack: back });
    await told(back, 'trigger canary-inference critical');
  });

  it('starts with an unreadable file', async () => {
    writeFileSync(join(folder, 'alerts.json'), '{"version":1,"entr');
    const slack = new Target();
    facts = SICK;
    await started({ slack });
    await told(slack, 'trigger canary-inference critical');
  });
});

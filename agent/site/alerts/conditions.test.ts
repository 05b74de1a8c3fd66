import type { AlertFacts } from './conditions';
import { conditionsOf, takeOverIn } from './conditions';
import { WELL } from './testing/well';

const STANDBY: AlertFacts = {
  ...WELL,
  state: 'standby',
  holds: false,
  lease: { epoch: 3, holder: 'eu' },
  promotable: { promotable: true, reasons: [] },
  dataAgeSeconds: 100,
  publishedAgeSeconds: null,
};
const DAY = 86_400;
const TESTED = {
  ...{ publishId: '0000000003-20261101T000000Z-aaaa', collection: 'docs', result: 'passed' as const },
  ...{ details: [], points: 50, bytes: 1000, seconds: 2 },
};
const DRILL = { id: '20261101T000000Z-planned-switch', scenario: 'planned-switch', passed: true };
const DNS = {
  name: 'api.example.com',
  detail: 'no answer',
  moves: 0,
  checkedAgeSeconds: null,
};
const brief = (facts: AlertFacts) =>
  conditionsOf(facts).map(({ key, severity, afterSeconds }) => `${key} ${severity} ${afterSeconds}`);

it.each<[string, AlertFacts, string[]]>([
  ['was drilled a quarter ago', { ...WELL, drill: { last: DRILL, ageSeconds: 92 * DAY } }, []],
  [
    'was last drilled long ago',
    { ...WELL, drill: { last: DRILL, ageSeconds: 100 * DAY + 1 } },
    ['drill-overdue warning 0'],
  ],
  [
    'never was drilled',
    { ...WELL, drill: { last: null, ageSeconds: 101 * DAY } },
    ['drill-overdue warning 0'],
  ],
  [
    'cannot say when it was',
    { ...WELL, drill: { last: DRILL, ageSeconds: null } },
    ['drill-overdue warning 0'],
  ],
  [
    'did not pass its last drill',
    { ...WELL, drill: { last: { ...DRILL, passed: false }, ageSeconds: 5 } },
    ['drill-failed error 0'],
  ],
  ['does not hold the lease', { ...STANDBY, drill: { last: null, ageSeconds: 999 * DAY } }, []],
  [
    'is not to be drilled',
    { ...WELL, drillIntervalDays: 0, drill: { last: null, ageSeconds: 999 * DAY } },
    [],
  ],
])('tells of drills where a site %s', (_what, facts, expected) => {
  expect(brief(facts)).toEqual(expected);
});

it('says nothing of a pair that is well', () => {
  expect(conditionsOf(WELL)).toEqual([]);
  expect(conditionsOf(STANDBY)).toEqual([]);
});

it.each<[string, AlertFacts, string[]]>([
  [
    'leading another server that is silent',
    {
      ...WELL,
      otherServers: [
        { server: 'uk-2', canary: { inference: 'unknown', vectors: 'unknown', edge: 'unknown' } },
        { server: 'uk-3', canary: { inference: 'healthy', vectors: 'healthy', edge: 'healthy' } },
      ],
    },
    ['server-uk-2 error 60'],
  ],
  ['fenced while the peer serves', { ...STANDBY, state: 'fenced' }, ['fenced warning 0']],
  [
    'fenced and named by the lease, so that nobody serves',
    { ...STANDBY, state: 'fenced', lease: { epoch: 3, holder: 'uk' } },
    ['fenced critical 10'],
  ],
  [
    'waiting for a person',
    { ...STANDBY, leaseAlerts: new Map([['CLAIM_BLOCKED_MANUAL', 'run out']]) },
    ['promotion-pending critical 0'],
  ],
  [
    'about to take over',
    {
      ...STANDBY,
      proposal: {
        kind: 'claim',
        to: 'uk',
        wrong: 'eu has not renewed its lease in time',
        sinceSeconds: 1,
        decidesInSeconds: 59,
        decidesAt: '2026-11-23T03:00:59.000Z',
      },
    },
    ['proposed-claim critical 0'],
  ],
  [
    'kept from taking over',
    { ...STANDBY, leaseAlerts: new Map([['CLAIM_BLOCKED_COOLDOWN', 'too soon']]) },
    ['lease-claim-blocked-cooldown critical 0'],
  ],
  [
    'carried by the peer',
    { ...WELL, leaseAlerts: new Map([['FAILSAFE', 'no witness']]) },
    ['lease-failsafe error 0'],
  ],
  [
    'not promotable',
    { ...STANDBY, promotable: { promotable: false, reasons: [] } },
    ['not-promotable error 300'],
  ],
  ['without a standby', { ...WELL, state: 'unprotected' }, ['unprotected error 300']],
  [
    'holding with a sick engine',
    { ...WELL, canary: { ...WELL.canary, inference: { health: 'failing', detail: 'hung' } } },
    ['canary-inference critical 0'],
  ],
  [
    'standing by with a sick engine',
    { ...STANDBY, canary: { ...WELL.canary, vectors: { health: 'failing', detail: 'down' } } },
    ['canary-vectors error 0'],
  ],
  [
    'not knowing whether its engine works',
    { ...WELL, canary: { ...WELL.canary, inference: { health: 'unknown', detail: '' } } },
    ['canary-inference-unknown critical 300'],
  ],
  [
    'out of restarts',
    { ...WELL, engineRestarts: { inLastHour: 2, perHour: 2 } },
    ['engine-restarts error 0'],
  ],
  ['not out of restarts', { ...WELL, engineRestarts: { inLastHour: 1, perHour: 2 } }, []],
  ['never restarting', { ...WELL, engineRestarts: { inLastHour: 0, perHour: 0 } }, []],
  ['late with its publishes', { ...WELL, publishedAgeSeconds: 3601 }, ['rpo error 0']],
  ['late with what it applies', { ...STANDBY, dataAgeSeconds: 3601 }, ['rpo error 0']],
  [
    'unable to move the name',
    { ...WELL, dnsRecord: { ...DNS, state: 'failing', failures: 3 } },
    ['dns-record critical 0'],
  ],
  ['unable to move it once', { ...WELL, dnsRecord: { ...DNS, state: 'failing', failures: 2 } }, []],
])('tells of a site that is %s', (_what, facts, expected) => {
  expect(brief(facts)).toEqual(expected);
});

it.each([
  ['epoch 2, expired', 'critical'],
  ['epoch 2, promoted', 'warning'],
  ['epoch 2, handed over by uk', 'warning'],
])('tells of a take-over, as loudly as it was unplanned: %s', (detail, severity) => {
  const tookOver = takeOverIn({ kind: 'claimed', detail });
  expect(brief({ ...WELL, state: 'unprotected', tookOver })).toContain(`took-over-2 ${severity} 0`);
});

it('tells of no take-over at the very first lease', () => {
  expect(takeOverIn({ kind: 'claimed', detail: 'epoch 1, bootstrap' })).toBeNull();
  expect(takeOverIn({ kind: 'ready', detail: 'epoch 2, expired' })).toBeNull();
});

it('takes a take-over for over when there is a standby again, or another holder', () => {
  const tookOver = { epoch: 2, how: 'expired' };
  expect(brief({ ...WELL, tookOver })).toEqual([]);
  expect(brief({ ...STANDBY, tookOver })).toEqual([]);
});

it.each(['LEASE_MISSING', 'LEASE_NOT_OURS', 'FAILSAFE', 'SICK_HOLDER'])(
  'takes %s for past when the other site holds the lease',
  (code) => {
    expect(brief({ ...STANDBY, leaseAlerts: new Map([[code, 'was so']]) })).toEqual([]);
  },
);

it('tells who is asked for a veto what is wrong, what it costs, when it happens and what to type', () => {
  const proposal = {
    kind: 'claim' as const,
    to: 'uk',
    wrong: 'eu has not renewed its lease in time',
    sinceSeconds: 1,
    decidesInSeconds: 59,
    decidesAt: '2026-11-23T03:00:59.000Z',
  };
  const [condition] = conditionsOf({ ...STANDBY, proposal });
  expect(condition?.summary).toBe('uk takes over at 2026-11-23T03:00:59.000Z unless somebody vetoes it');
  expect(condition?.detail.split('\n')).toEqual([
    'eu has not renewed its lease in time (told 1 s ago). uk can take over; its data is 100 s old, which is what would be lost.',
    'To stop it: failover veto --by NAME --reason TEXT --for 30m',
    'To do it now: failover promote --site uk --by NAME --reason TEXT',
  ]);
});

const beat = (changes: Partial<NonNullable<AlertFacts['heartbeat']>>): AlertFacts['heartbeat'] => ({
  found: null,
  writtenAgeSeconds: 5,
  reportAgeSeconds: 1,
  loss: { seconds: 30, writes: 4, atLeast: false },
  ...changes,
});

it.each<[string, AlertFacts, string[]]>([
  [
    'holds other data than were published',
    { ...STANDBY, differences: ['docs: point 7'] },
    ['data-differs error 0'],
  ],
  ['has writes set aside', { ...STANDBY, unmergedWrites: 14 }, ['diverged warning 0']],
  ['hears that the other site keeps up', { ...WELL, heartbeat: beat({}) }, []],
  [
    'hears that the other site lacks too much: late',
    { ...WELL, heartbeat: beat({ loss: { seconds: 3700, writes: 9, atLeast: true } }) },
    ['heartbeat-late error 0'],
  ],
  [
    'never hears which one the other site holds: lost',
    { ...WELL, heartbeat: beat({ reportAgeSeconds: null }) },
    ['heartbeat-lost critical 300'],
  ],
  [
    'no longer hears it',
    { ...WELL, heartbeat: beat({ reportAgeSeconds: 61 }) },
    ['heartbeat-lost critical 300'],
  ],
  [
    'hears that the other site holds none',
    { ...WELL, heartbeat: beat({ loss: null }) },
    ['heartbeat-lost critical 300'],
  ],
  [
    'cannot write it',
    { ...WELL, heartbeat: beat({ writtenAgeSeconds: 61 }) },
    ['heartbeat-lost critical 300'],
  ],
  ['has just begun to wait for a restore test', STANDBY, []],
  [
    'brought a publish back in a test',
    { ...STANDBY, restoreTest: { verdict: TESTED, ageSeconds: 2 * DAY } },
    [],
  ],
  [
    'could not bring a publish back in a test',
    { ...STANDBY, restoreTest: { verdict: { ...TESTED, result: 'failed' }, ageSeconds: 60 } },
    ['restore-test-failed error 0'],
  ],
  [
    'has not tested a restore for long',
    { ...STANDBY, restoreTest: { verdict: TESTED, ageSeconds: 2 * DAY + 1 } },
    ['restore-test-overdue warning 0'],
  ],
  [
    'cannot say when it tested a restore',
    { ...STANDBY, restoreTest: { verdict: TESTED, ageSeconds: null } },
    ['restore-test-overdue warning 0'],
  ],
  [
    'is to test no restores',
    { ...STANDBY, restoreTestIntervalHours: 0, restoreTest: { verdict: null, ageSeconds: 9 * DAY } },
    [],
  ],
  [
    'holds the lease, where no restore is tested',
    { ...WELL, restoreTest: { verdict: null, ageSeconds: 9 * DAY } },
    [],
  ],
  ['does not hold the lease, and says nothing of it', { ...STANDBY, heartbeat: beat({ loss: null }) }, []],
])('tells of the data of a site that %s', (_what, facts, expected) => {
  expect(brief(facts)).toEqual(expected);
});

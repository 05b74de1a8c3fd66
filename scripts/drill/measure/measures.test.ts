import { at, sampleRecord } from '../../testing/sample-record';
import { measure } from './measures';
import { stagesOf } from './stages';

describe('stages', () => {
  const record = sampleRecord();
  const seconds = (changed = record): Record<string, number | null> =>
    Object.fromEntries(stagesOf(changed, at(20.02)).map((stage) => [stage.stage, stage.secondsSinceFault]));

  it('are taken from the events of the site that took over, DNS and the first cold success', () => {
    expect(seconds()).toEqual({
      detected: 6,
      decided: 6.2,
      lease: 6.5,
      ready: 6.6,
      dns: 8,
      'first-success': expect.closeTo(10.02, 5) as number,
      'all-well': expect.closeTo(10.02, 5) as number,
    });
  });
  it('fall back to what the sites said about the lease when no event was seen', () => {
    expect(seconds(sampleRecord({ events: [] }))).toMatchObject({
      detected: null,
      decided: null,
      lease: 7.5,
      ready: null,
    });
  });
  it('correct a clock that is clearly off, and leave one alone that is within what can be told', () => {
    expect(seconds(sampleRecord({ clockAhead: { eu: 3 } }))).toMatchObject({ detected: 3 });
    expect(seconds(sampleRecord({ clockAhead: { eu: 1.5 } }))).toMatchObject({ detected: 6 });
  });
  it('count DNS as settled only from when every nameserver that answers says the new site, and it alone', () => {
    const dns = [
      ...record.dns,
      { at: at(0), nameserver: 'ns2', sites: ['uk'], addresses: ['10.0.0.1'], error: null },
      {
        at: at(18.5),
        nameserver: 'ns2',
        sites: ['uk', 'eu'],
        addresses: ['10.0.0.1', '10.0.0.2'],
        error: null,
      },
      { at: at(19), nameserver: 'ns2', sites: ['eu'], addresses: ['10.0.0.2'], error: null },
    ];
    expect(seconds(sampleRecord({ dns }))).toMatchObject({ dns: 9 });
  });
  it('count DNS as settled while the lost site’s own nameserver is silent, whatever it says when it is back', () => {
    const own = { nameserver: 'ns2', sites: [], addresses: [] };
    const dns = [
      ...record.dns,
      { at: at(0), nameserver: 'ns2', sites: ['uk'], addresses: ['10.0.0.1'], error: null },
      { ...own, at: at(12), error: 'no answer' },
      {
        ...own,
        at: at(25.5),
        sites: ['uk', 'eu'],
        addresses: ['10.0.0.1', '10.0.0.2'],
        error: null,
      },
    ];
    expect(seconds(sampleRecord({ dns }))).toMatchObject({ dns: 8 });
  });
  it('do not count DNS as settled while no nameserver answers', () => {
    const silent = { at: at(17), nameserver: 'ns', sites: [], addresses: [], error: 'no answer' };
    expect(seconds(sampleRecord({ dns: [record.dns[0]!, silent] }))).toMatchObject({ dns: null });
  });
  it('ignore what happened before the fault and after the failback began', () => {
    const late = { ...record.events[5]!, site: 'eu' };
    expect(seconds(sampleRecord({ events: [late], leases: [] }))).toMatchObject({ lease: null });
  });
});

describe('the verdict', () => {
  it('passes when every objective held', () => {
    const measures = measure(sampleRecord());
    expect(measures.rto).toEqual({
      coldSeconds: expect.closeTo(10.02, 5) as number,
      allSeconds: expect.closeTo(10.02, 5) as number,
    });
    expect(measures.loss).toMatchObject({ points: 4, seconds: expect.closeTo(1.98, 5) as number });
    expect(measures.objectives.filter((each) => !each.ok)).toEqual([]);
    expect(measures.passed).toBe(true);
  });
  it('leaves pinned writers out of the recovery time', () => {
    const pinned = measure(sampleRecord()).clients.find((client) => client.kind === 'pinned');
    expect(pinned?.recoverySeconds).toBeNull();
  });

  const budget = sampleRecord().budget;
  const missed: [string, Parameters<typeof sampleRecord>[0], string][] = [
    [
      'the recovery took longer than the RTO',
      { budget: { ...budget, rto: { ...budget.rto, objectiveSeconds: 9 } } },
      'RTO, every client',
    ],
    [
      'more was lost than the RPO allows',
      { budget: { ...budget, rpo: { ...budget.rpo, objectiveSeconds: 1 } } },
      'RPO',
    ],
    ['a planned switch lost a point', { scenario: 'planned-switch' }, 'nothing lost'],
    ['the data was never looked through', { afterFailover: null }, 'RPO'],
    ['the failback was never looked through', { afterFailback: null }, 'nothing missing after the failback'],
    [
      'trap 12: the alias did not survive the failover',
      { afterFailover: { ...sampleRecord().afterFailover!, aliasPresent: false } },
      'collection whole after the failover',
    ],
    [
      'trap 12: the payload index did not survive the failback',
      { afterFailback: { ...sampleRecord().afterFailback!, indexPresent: false } },
      'collection whole after the failback',
    ],
    [
      'trap 31: the scroll came back empty',
      { afterFailover: { ...sampleRecord().afterFailover!, ids: [] } },
      'collection whole after the failover',
    ],
    [
      'a client was never well again',
      { marks: { ...sampleRecord().marks, failbackStarted: at(15) } },
      'RTO, every client',
    ],
  ];
  it.each(missed)('is missed when %s', (_what, changes, objective) => {
    const measures = measure(sampleRecord(changes));
    expect(measures.objectives.filter((each) => !each.ok).map((each) => each.name)).toContain(objective);
    expect(measures.passed).toBe(false);
  });
  it('is not passed by a drill that was stopped, whatever was measured', () => {
    expect(measure(sampleRecord({ stopped: { code: 'INTERRUPTED', message: 'ended' } })).passed).toBe(false);
  });
  it('sums up a drill that stopped before its fault without inventing numbers', () => {
    const record = sampleRecord();
    const none = { ...record.marks, faultStarted: null, failbackStarted: null, recovered: null };
    const measures = measure(sampleRecord({ marks: none, afterFailover: null, afterFailback: null }));
    expect(measures).toMatchObject({
      stages: [],
      loss: null,
      rto: { coldSeconds: null, allSeconds: null },
      passed: false,
    });
  });
});

describe('a warm client that sends once more what failed', () => {
  const client = {
    name: 'retrying-vectors',
    kind: 'retrying',
    what: 'vectors',
    periodMs: 500,
    timeoutMs: 4000,
  } as const;
  const attempt = (seq: number, ok: boolean) => ({
    ...{ client: client.name, seq, start: at(10 + seq), end: at(10.1 + seq), ok, status: ok ? 200 : 503 },
    ...{ site: 'uk', epoch: null, address: null, error: ok ? null : '503' },
  });
  const objective = (scenario: string, ...oks: boolean[]) => {
    const record = sampleRecord({ scenario });
    const changed = {
      ...record,
      clients: [...record.clients, client],
      attempts: [...record.attempts, ...oks.map((ok, seq) => attempt(seq, ok))],
    };
    return measure(changed).objectives.find(({ name }) => name.includes('retry once'));
  };

  it('must not fail in a planned switch', () => {
    expect(objective('planned-switch', true, true)).toMatchObject({ measured: '0 of 2 failed', ok: true });
    expect(objective('planned-switch', true, false)).toMatchObject({ measured: '1 of 2 failed', ok: false });
  });
  it('is no objective where a site is lost, or where there was none', () => {
    expect(objective('region-loss', true, false)).toBeUndefined();
    const [unchanged] = [measure(sampleRecord({ scenario: 'planned-switch' })).objectives];
    expect(unchanged?.filter(({ name }) => name.includes('retry once'))).toEqual([]);
  });
});

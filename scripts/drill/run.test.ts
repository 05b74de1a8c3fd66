import { SiteClient } from '../cli/site-client';
import { systemClock } from './clock';
import { measure } from './measure/measures';
import type { DrillOptions, DrillPorts, DrillResult } from './ports';
import { renderResult } from './report/text';
import { runDrill } from './run';
import { scenarioNamed } from './scenarios';
import { FakeWorld } from '../testing/fake-world';

jest.setTimeout(60_000);
// Real sockets and real seconds: what a busy machine disturbs is tried again, what is wrong fails every time.
jest.retryTimes(2, { logErrorsBeforeRetry: true });

let world: FakeWorld;
let said: string[];
afterEach(async () => world.stop());

const SPEED = {
  failback: true,
  by: 'tester',
  points: 30,
  baselineSeconds: 1,
  sustainSeconds: 0.6,
  maxOutageSeconds: 20,
  syncSeconds: 5,
  failbackWaitSeconds: 10,
  periodMs: 150,
  writePeriodMs: 150,
  timeoutMs: 2_500,
  decideAfterSeconds: null,
  statusPeriodMs: 100,
  dnsPeriodMs: 50,
};

async function startWorld(timings = { detectMs: 300, dnsMs: 100 }): Promise<void> {
  world = new FakeWorld(timings);
  said = [];
  await world.start();
}

function ports(signal = new AbortController().signal): DrillPorts {
  const context = world.context();
  return {
    context,
    sites: context.sites.map((site) => new SiteClient(context, site)),
    leases: world.leases,
    fault: world,
    clock: systemClock(),
    progress: { phase: (text) => said.push(text), tick: () => undefined, end: () => undefined },
    signal,
    lookup: world.lookup,
  };
}

function drill(scenario: string, changes: Partial<DrillOptions> = {}): Promise<DrillResult> {
  return runDrill(ports(), { ...SPEED, scenario: scenarioNamed(scenario), ...changes });
}

describe('a region-loss drill', () => {
  it('measures the outage that was scripted, and the writes that were lost', async () => {
    await startWorld({ detectMs: 1_000, dnsMs: 300 });
    const { record, error } = await drill('region-loss');
    expect(error).toBeNull();
    const measures = measure(record);
    // 1.0 s to the claim, 0.3 s to DNS, at most 1 s of TTL; one period and one connection of slack.
    expect(measures.rto.coldSeconds).toBeGreaterThanOrEqual(1.0);
    expect(measures.rto.coldSeconds).toBeLessThan(3.2);
    const stage = Object.fromEntries(measures.stages.map((each) => [each.stage, each.secondsSinceFault]));
    expect(stage['lease']).toBeGreaterThan(0.95);
    expect(stage['lease']).toBeLessThan(1.9);
    expect(stage['dns']).toBeGreaterThan(1.25);
    expect(stage['dns']).toBeLessThan(2.4);
    // The fake standby has what was published before the clients started: every write of the baseline is lost.
    const before = record.attempts.filter(
      (each) => each.ok && each.pointId !== undefined && each.epoch === 1,
    );
    expect(before.length).toBeGreaterThan(0);
    expect(measures.loss?.lost.map((write) => write.pointId).sort()).toEqual(
      before.map((each) => each.pointId).sort(),
    );
    const acked = before.map((each) => each.end);
    const until = Math.max(measures.faultAt ?? 0, ...acked);
    expect(measures.loss?.seconds).toBeCloseTo((until - Math.min(...acked)) / 1000, 3);
    expect(measures.doubleWrites).toEqual([]);
    expect(measures.missingAfterFailback).toEqual([]);
    // Every one of them is still at the lost holder, and comes back after the failback.
    expect(measures.recovery).toEqual({ lost: before.length, recovered: before.length, missing: [] });
    expect(measures.objectives.filter((each) => !each.ok)).toEqual([]);
    expect(measures.passed).toBe(true);
    expect(world.lease.holder).toBe('uk-primary');
    expect(world.faults).toEqual(['kill uk', 'revive uk']);
    expect([...world.uk.data.keys()]).toEqual([]);
  });

  it('finds double writes when the old site goes on acknowledging after it came back', async () => {
    await startWorld();
    world.uk.writesWithoutLease = true;
    const { record, error } = await drill('region-loss');
    expect(error).toMatchObject({
      code: 'DRILL_ABORTED',
      message: expect.stringContaining('two sites acknowledged'),
    });
    const measures = measure(record);
    expect(measures.doubleWrites.length).toBeGreaterThan(0);
    expect(measures.doubleWrites[0]).toMatchObject({
      site: 'uk-primary',
      client: 'pinned-uk-primary',
      epoch: 1,
    });
    expect(measures.passed).toBe(false);
  });

  it('finds what a failback loses', async () => {
    await startWorld();
    world.loseOnSwitch = [7];
    const { record } = await drill('region-loss');
    const measures = measure(record);
    expect(measures.missingAfterFailback).toEqual([7]);
    expect(measures.passed).toBe(false);
  });

  it('misses an objective when a lost write does not come back by the merge, and none without a merge', async () => {
    await startWorld();
    world.mergeLoses = 1;
    const { record } = await drill('region-loss');
    const measures = measure(record);
    const lost = measures.loss?.points ?? 0;
    expect(measures.recovery).toMatchObject({ lost, recovered: lost - 1 });
    expect(measures.objectives.filter((each) => !each.ok).map((each) => each.name)).toEqual([
      'lost writes recovered by the merge',
    ]);
    expect(renderResult(record, measures)).toContain(
      `lost by the failover: ${lost}, recovered by merge: ${lost - 1}`,
    );
    await world.stop();
    await startWorld();
    const left = await drill('region-loss', { merge: false });
    expect(measure(left.record)).toMatchObject({ recovery: null, passed: true });
    expect(world.uk.setAside[0]?.summary.merged).toBeNull();
  });

  it('aborts and puts the world back when nobody takes over within the limit', async () => {
    await startWorld({ detectMs: 60_000, dnsMs: 100 });
    const { record, error } = await drill('region-loss', { maxOutageSeconds: 1.5 });
    expect(error).toMatchObject({ code: 'DRILL_ABORTED' });
    expect(record.stopped?.message).toContain('over the limit of 1.5 s');
    expect(world.faults).toEqual(['kill uk', 'revive uk']);
    expect(world.uk.up).toBe(true);
    expect(measure(record).passed).toBe(false);
  });

  it('puts the world back when it is interrupted', async () => {
    await startWorld({ detectMs: 60_000, dnsMs: 100 });
    const controller = new AbortController();
    const interrupt = new Error('ended by SIGINT');
    const run = world.run.bind(world);
    world.run = async (words) => {
      await run(words);
      if (words[0] === 'kill') setTimeout(() => controller.abort(interrupt), 300);
    };
    const { record, error } = await runDrill(ports(controller.signal), {
      ...SPEED,
      scenario: scenarioNamed('region-loss'),
    });
    expect(error).toBe(interrupt);
    expect(world.faults).toEqual(['kill uk', 'revive uk']);
    expect(record.stopped?.message).toBe('ended by SIGINT');
    expect([...world.uk.data.keys()]).toEqual([]);
  });
});

describe('a planned-switch drill', () => {
  it('loses nothing, there and back, without a fault command', async () => {
    await startWorld();
    const { record, error } = await runDrill(
      { ...ports(), fault: null },
      { ...SPEED, scenario: scenarioNamed('planned-switch') },
    );
    expect(error).toBeNull();
    const measures = measure(record);
    expect(measures.loss).toMatchObject({ points: 0, seconds: 0 });
    expect(measures.missingAfterFailback).toEqual([]);
    expect(measures.passed).toBe(true);
    expect(world.entries.map((entry) => entry.holder)).toEqual(['uk-primary', 'eu-standby', 'uk-primary']);
  });

  it('stays at the other site when told not to fail back, and says so', async () => {
    await startWorld();
    const { record } = await drill('planned-switch', { failback: false });
    expect(world.lease.holder).toBe('eu-standby');
    expect(record.leftovers.join()).toContain('failover failback');
    expect(record.afterFailback).toBeNull();
    expect(measure(record).passed).toBe(true);
  });
});

describe('a hung-engine drill', () => {
  it('trap 1: sees completions fail while the site goes on answering, and the hand-over repair it', async () => {
    await startWorld();
    const { record, error } = await drill('hung-engine');
    expect(error).toBeNull();
    const measures = measure(record);
    const inference = measures.clients.find((client) => client.client === 'cold-inference');
    expect(inference?.failover.errors).toBeGreaterThan(0);
    expect(measures.stages.find((stage) => stage.stage === 'detected')?.secondsSinceFault).toBeLessThan(1.2);
    expect(measures.passed).toBe(true);
    expect(world.faults[0]).toBe('stop-process uk-primary-1 failover-vllm EngineCore');
    expect(world.faults[1]).toBe('cont-process uk-primary-1 failover-vllm');
  });
});

describe('a drill of a fault that must not lead to a switch', () => {
  it('lets it stand, puts the world back, and finds that nothing has moved', async () => {
    await startWorld();
    const { record, error } = await drill('partition-sites', { standSeconds: 1 });
    expect(error).toBeNull();
    const measures = measure(record);
    expect(measures.objectives.find((each) => each.name === 'changes of holder')).toMatchObject({
      measured: '0',
      ok: true,
    });
    expect(measures.passed).toBe(true);
    expect(world.faults).toEqual(['partition uk eu', 'heal']);
    expect(record.marks.failbackStarted).toBeNull();
    expect((record.marks.repaired ?? 0) - (record.marks.faultStarted ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  it('stops when the other site takes over all the same', async () => {
    await startWorld();
    world.partitionSwitches = true;
    const { record, error } = await drill('partition-sites', { standSeconds: 5 });
    expect(error).toMatchObject({
      code: 'DRILL_ABORTED',
      message: expect.stringContaining('eu-standby took over'),
    });
    expect(measure(record).passed).toBe(false);
    expect(world.faults).toEqual(['partition uk eu', 'heal']);
  });
});

describe('a drill in mode manual', () => {
  it('plays the person on call when told to, asking again until the lease has run out', async () => {
    await startWorld({ detectMs: 60_000, dnsMs: 100 });
    world.manualAfterMs = 700;
    const manual = ports();
    const { record, error } = await runDrill(
      { ...manual, context: { ...manual.context, switchingMode: 'manual' } },
      { ...SPEED, scenario: scenarioNamed('region-loss'), decideAfterSeconds: 0.2 },
    );
    expect(error).toBeNull();
    expect(measure(record).passed).toBe(true);
    expect(world.entries[1]).toMatchObject({ holder: 'eu-standby', cause: 'promoted' });
    expect(said.join()).toContain('the switch was asked for and granted');
  });
  it('waits for a person otherwise, and says what to type', async () => {
    await startWorld({ detectMs: 60_000, dnsMs: 100 });
    const manual = ports();
    await runDrill(
      { ...manual, context: { ...manual.context, switchingMode: 'manual' } },
      { ...SPEED, scenario: scenarioNamed('region-loss'), maxOutageSeconds: 1 },
    );
    expect(said.join()).toContain('failover promote --site eu-standby');
    expect(world.lease.holder).toBe('uk-primary');
  });
});

describe('before a drill', () => {
  const refusals: [string, (fake: FakeWorld) => void, string][] = [
    [
      'the peer could not take over',
      (fake) => (fake.eu.promotableReasons = [{ code: 'data-too-old', message: 'old' }]),
      'peer-not-promotable',
    ],
    ['the peer is fenced', (fake) => (fake.eu.state = 'fenced'), 'peer-not-standby'],
    ['both sites say that they are active', (fake) => (fake.eu.state = 'active'), 'two-active-sites'],
    ['nobody is active', (fake) => (fake.uk.state = 'fenced'), 'no-active-site'],
    ['DNS answers the other site', (fake) => (fake.dns.addresses = ['127.0.0.2']), 'dns-elsewhere'],
    ['DNS answers both sites', (fake) => (fake.dns.addresses = ['127.0.0.1', '127.0.0.2']), 'dns-elsewhere'],
    ['the witness is not healthy', (fake) => (fake.eu.witness = 'failing'), 'witness-not-healthy'],
    ['completions are not answered', (fake) => (fake.uk.hung = true), 'no-completion'],
    ['the standby has applied nothing', (fake) => (fake.eu.applied = null), 'no-data'],
  ];
  it.each(refusals)('refuses when %s', async (_what, break_, code) => {
    await startWorld();
    break_(world);
    const failure: unknown = await drill('region-loss').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'REFUSED', exitCode: 3 });
    expect((failure as { reasons: { code: string }[] }).reasons.map((reason) => reason.code)).toContain(code);
    expect(world.faults).toEqual([]);
    expect([...world.uk.data.keys()]).toEqual([]);
  });

  it('refuses a destructive scenario without a fault command', async () => {
    await startWorld();
    await expect(
      runDrill({ ...ports(), fault: null }, { ...SPEED, scenario: scenarioNamed('region-loss') }),
    ).rejects.toMatchObject({ code: 'USAGE' });
  });
});

import { SiteClient } from '../cli/site-client';
import { systemClock } from '../drill/clock';
import type { DrillPorts } from '../drill/ports';
import { FakeWorld } from '../testing/fake-world';
import type { Round } from './faults';
import type { SoakResult } from './record';
import { renderSoak } from './report';
import { runSoak } from './soak';

jest.setTimeout(60_000);
// Real sockets and real seconds: what a busy machine disturbs is tried again, what is wrong fails every time.
jest.retryTimes(2, { logErrorsBeforeRetry: true });

let world: FakeWorld;
let said: string[];
beforeEach(async () => {
  world = new FakeWorld({ detectMs: 300, dnsMs: 100 });
  said = [];
  await world.start();
});
afterEach(async () => world.stop());

const QUIET: Round = { faults: [], pausesSeconds: [], interference: null, standSeconds: 0.5 };
const POWER_CUT: Round = {
  ...QUIET,
  faults: [{ words: ['kill', 'uk'], repair: ['revive', 'uk'], touches: 'uk' }],
  pausesSeconds: [2.5], // for writes that are older than the second which clocks may be off
  standSeconds: 1,
};

function soak(round: Round): Promise<SoakResult> {
  const context = world.context();
  const ports: DrillPorts = {
    context,
    sites: context.sites.map((site) => new SiteClient(context, site)),
    leases: world.leases,
    fault: world,
    clock: systemClock(),
    progress: { phase: (text) => said.push(text), tick: () => undefined, end: () => undefined },
    signal: new AbortController().signal,
    lookup: world.lookup,
  };
  return runSoak(ports, {
    ...{ seed: 1, minutes: 1 / 60, by: 'tester', points: 20, recoverSeconds: 40 },
    ...{ periodMs: 100, writePeriodMs: 100, timeoutMs: 1_000, statusPeriodMs: 100 },
    draw: () => round,
  });
}

it('passes where every change of holder keeps everything, having looked through both stores', async () => {
  const { record, verdict, passed } = await soak(QUIET);
  expect(verdict.violations).toEqual([]);
  expect(verdict.acknowledged).toBeGreaterThan(5);
  expect(record.stores.map(({ site }) => site).sort()).toEqual(['eu-standby', 'uk-primary']);
  expect(record.rounds.length).toBeGreaterThan(0);
  expect(record.leftovers).toEqual([]);
  expect(record.stopped).toBeNull();
  expect(passed).toBe(true);
  expect(world.lease.holder).toBe('uk-primary');
});

it('finds writes that a failover lost and does not own up to, and undoes its faults', async () => {
  const result = await soak(POWER_CUT);
  const rules = new Set(result.verdict.violations.map(({ rule }) => rule));
  expect(rules).toEqual(new Set(['lost']));
  expect(result.passed).toBe(false);
  expect(world.faults.filter((words) => words === 'kill uk').length).toBe(
    world.faults.filter((words) => words === 'revive uk').length,
  );
  expect(renderSoak(result)).toMatch(/^VIOLATION lost: point \d+: acknowledged under epoch 1/m);
});

it('stops at the first round in which a site acknowledged that did not hold the lease', async () => {
  world.uk.writesWithoutLease = true;
  const { record, verdict, passed } = await soak(POWER_CUT);
  expect(record.rounds).toHaveLength(1);
  expect(record.stopped).toMatch(/epoch went back|acknowledged without the lease/);
  expect(verdict.violations.map(({ rule }) => rule)).toContain('epoch went back');
  expect(passed).toBe(false);
});

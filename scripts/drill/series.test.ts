import { SiteClient } from '../cli/site-client';
import { FakeWorld } from '../testing/fake-world';
import { sampleRecord } from '../testing/sample-record';
import { systemClock } from './clock';
import { measure } from './measure/measures';
import type { DrillPorts } from './ports';
import { renderSeries } from './report/series';
import { scenarioNamed, type Scenario } from './scenarios';
import { passed, runSeries, type Drilled } from './series';

let world: FakeWorld;
const said: string[] = [];
const abort = new AbortController();

beforeEach(async () => {
  world = new FakeWorld({ detectMs: 300, dnsMs: 100 });
  await world.start();
  said.length = 0;
});
afterEach(() => world.stop());

function ports(): DrillPorts {
  const context = world.context();
  return {
    context,
    sites: context.sites.map((site) => new SiteClient(context, site)),
    leases: world.leases,
    fault: world,
    clock: systemClock(),
    progress: { phase: (text) => said.push(text), tick: () => undefined, end: () => undefined },
    signal: abort.signal,
  };
}

const drilled = (scenario: Scenario): Drilled => {
  const record = sampleRecord({ scenario: scenario.name });
  return { record, measures: measure(record), error: null };
};
const SCENARIOS = ['region-loss', 'agent-crash', 'edge-loss'].map(scenarioNamed);

describe('a series of drills', () => {
  it('goes on after a drill that could not begin, and says so in the table', async () => {
    const entries = await runSeries(SCENARIOS, ports(), (scenario) =>
      scenario.name === 'agent-crash'
        ? Promise.reject(new Error('the baseline is not clean'))
        : Promise.resolve(drilled(scenario)),
    );
    expect(entries.map(passed)).toEqual([true, false, true]);
    const text = renderSeries(entries);
    expect(text).toMatch(/^region-loss +switch .* 9\.0 s .* passed$/m);
    expect(text).toMatch(/^agent-crash +stay +–.* NOT PASSED$/m);
    expect(text).toContain('agent-crash: the baseline is not clean');
    expect(text).toContain('2 of 3 drills passed.');
  });

  it('waits for the steady state before each', async () => {
    const { sites, ...rest } = ports();
    const [uk, eu] = sites;
    let silent = 2;
    if (uk === undefined || eu === undefined) throw new Error('the world has two sites');
    jest
      .spyOn(eu, 'status')
      .mockImplementation(() => (silent-- > 0 ? Promise.reject(new Error('no answer')) : steady()));
    const steady = SiteClient.prototype.status.bind(eu);
    const left: number[] = [];
    await runSeries(SCENARIOS.slice(0, 1), { ...rest, sites: [uk, eu] }, (scenario) => {
      left.push(silent);
      return Promise.resolve(drilled(scenario));
    });
    expect(left).toEqual([-1]);
    expect(said.join('\n')).toContain('waiting for the steady state: no answer');
  });

  it('ends with the drill that a signal ended', async () => {
    const entries = await runSeries(SCENARIOS, { ...ports(), signal: AbortSignal.abort() }, (scenario) =>
      Promise.resolve(drilled(scenario)),
    );
    expect(entries).toHaveLength(1);
    expect(entries.every(passed)).toBe(false);
  });
});

import type { SiteClock } from '../ports';
import { Canary } from './canary';
import type { ProbeResult } from './verdict';

const RULES = { failureThreshold: 2, recoveryThreshold: 3, windowProbes: 10, windowFailureRatio: 0.5 };

function canaryWith(probe: () => Promise<ProbeResult>) {
  const time = { ms: 1_000 };
  const clock: SiteClock = { bootId: 'b', monotonicMs: () => time.ms, wallIso: () => '' };
  const changes: string[] = [];
  const canary = new Canary({
    name: 'inference',
    intervalMs: 1_000,
    maxProbeMs: 500,
    rules: RULES,
    clock,
    probe,
    onChange: (health, before, detail) => void changes.push(`${before} → ${health} ${detail}`),
  });
  return { canary, time, changes };
}

describe('trap 3: a deep check at DNS speed', () => {
  it('answers from the cached verdict with its age, without probing', async () => {
    let probes = 0;
    const { canary, time } = canaryWith(async () => ((probes += 1), { outcome: 'ok', detail: 'fine' }));
    await canary.probeOnce();
    time.ms += 700;
    for (let asked = 0; asked < 100; asked += 1) canary.view();
    expect(probes).toBe(1);
    expect(canary.view()).toMatchObject({ health: 'healthy', ageSeconds: 0.7, detail: 'fine' });
  });
});

describe('trap 25: missing data is a state of its own', () => {
  it('is unknown before the first probe', () => {
    const { canary } = canaryWith(async () => ({ outcome: 'ok', detail: '' }));
    expect(canary.view()).toMatchObject({ health: 'unknown', ageSeconds: null });
  });

  it('is unknown, neither healthy nor failing, once the verdict is older than three intervals', async () => {
    let outcome: 'ok' | 'failed' = 'ok';
    const { canary, time } = canaryWith(async () => ({ outcome, detail: '' }));
    await canary.probeOnce();
    time.ms += 3_500;
    expect(canary.view().health).toBe('healthy');
    time.ms += 1;
    expect(canary.view().health).toBe('unknown');
    outcome = 'failed';
    await canary.probeOnce();
    await canary.probeOnce();
    expect(canary.view().health).toBe('failing');
    time.ms += 10_000;
    expect(canary.view().health).toBe('unknown');
  });
});

it('counts a probe that throws as failed, and tells when the verdict changes', async () => {
  const { canary, changes } = canaryWith(async () => {
    throw new Error('boom');
  });
  await canary.probeOnce();
  await canary.probeOnce();
  expect(canary.view()).toMatchObject({ health: 'failing', detail: 'boom' });
  expect(changes).toEqual(['unknown → failing inference: boom']);
});

it('probes in the background until it is stopped', async () => {
  let probes = 0;
  const { canary } = canaryWith(async () => ((probes += 1), { outcome: 'ok', detail: '' }));
  canary.start();
  while (probes === 0) await new Promise((resolve) => setImmediate(resolve));
  await canary.stop();
  expect(probes).toBe(1);
});

it('says how many more good probes a failing verdict waits for', async () => {
  let outcome: 'ok' | 'failed' = 'failed';
  const { canary } = canaryWith(async () => ({ outcome, detail: outcome }));
  await canary.probeOnce();
  await canary.probeOnce();
  outcome = 'ok';
  await canary.probeOnce();
  const detail = 'ok, good 1 of the 3 times in a row that are wanted after failures';
  expect(canary.view()).toMatchObject({ health: 'failing', detail });
  await canary.probeOnce();
  await canary.probeOnce();
  expect(canary.view()).toMatchObject({ health: 'healthy', detail: 'ok' });
});

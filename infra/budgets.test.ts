import fc from 'fast-check';
import { type BudgetInput, computeBudget, writeOutSum } from './budgets';
import { ConfigSchema } from './config/schema';
import { BudgetOutput } from './contract/stack-outputs';

const defaults = ConfigSchema.parse({});
const input = (change: Partial<BudgetInput>): BudgetInput => ({ ...defaults, ...change });

/** The compressed timings of the drills. */
const compressed: Partial<BudgetInput> = {
  leaseTtlSeconds: 6,
  leaseMaxClockDriftPpm: 0,
  leaseSafetyMarginSeconds: 1,
  switchingMode: 'automatic',
  handoverSyncSeconds: 5,
  engineRestartGraceSeconds: 2,
  probeIntervalSeconds: 1,
  probeTimeoutSeconds: 1,
  probeFailureThreshold: 3,
  dnsTtlSeconds: 2,
  dnsCheckIntervalSeconds: 1,
  publishIntervalSeconds: 10,
  applyIntervalSeconds: 2,
  copyEstimateSeconds: 3,
};

describe('computeBudget', () => {
  it('adds up a lost region: lease, poll, claim, DNS check, TTL', () => {
    expect(computeBudget(input(compressed)).rto.regionLoss).toEqual({
      stages: [
        { stage: 'lease runs out on any clock', seconds: 6 },
        { stage: 'standby looks at the lease', seconds: 2 },
        { stage: 'standby claims the lease', seconds: 3 },
        { stage: 'nameserver checks readiness', seconds: 1 },
        { stage: 'cached answers expire', seconds: 2 },
      ],
      totalSeconds: 14,
    });
  });

  it('adds up a sick holder: canary, engine restart, last sync, poll, claim, DNS check, TTL', () => {
    expect(computeBudget(input(compressed)).rto.sickHolder).toEqual({
      stages: [
        { stage: 'canary fails often enough', seconds: 4 },
        { stage: 'local engine restart gets its chance', seconds: 2 },
        { stage: 'last publish and apply', seconds: 5 },
        { stage: 'writes on their way end', seconds: 1 },
        { stage: 'standby looks at the lease', seconds: 2 },
        { stage: 'standby claims the lease', seconds: 3 },
        { stage: 'nameserver checks readiness', seconds: 1 },
        { stage: 'cached answers expire', seconds: 2 },
      ],
      totalSeconds: 20,
    });
  });

  it('predicts the worse of the two', () => {
    expect(computeBudget(input(compressed)).rto.predictedSeconds).toBe(20);
  });

  it('adds publish interval, apply interval and copy time to the RPO', () => {
    expect(computeBudget(input(compressed)).rpo).toMatchObject({
      predictedSeconds: 15,
      objectiveSeconds: 3600,
    });
  });

  it('counts the person on call only when one must decide', () => {
    const automatic = computeBudget(input({ ...compressed, operatorDecisionSeconds: 100 }));
    const manual = computeBudget(
      input({ ...compressed, operatorDecisionSeconds: 100, switchingMode: 'manual' }),
    );
    expect(manual.rto.regionLoss.totalSeconds - automatic.rto.regionLoss.totalSeconds).toBe(100);
    // Called when the canary fails, the person decides while the engine's restart gets its chance.
    expect(manual.rto.sickHolder.totalSeconds - automatic.rto.sickHolder.totalSeconds).toBe(98);
  });

  it('counts the time in which somebody may say no in mode veto alone', () => {
    const automatic = computeBudget(input({ ...compressed, vetoSeconds: 45 }));
    const veto = computeBudget(input({ ...compressed, vetoSeconds: 45, switchingMode: 'veto' }));
    expect(veto.rto.regionLoss.totalSeconds - automatic.rto.regionLoss.totalSeconds).toBe(45);
    expect(veto.rto.sickHolder.totalSeconds - automatic.rto.sickHolder.totalSeconds).toBe(43);
  });

  it('waits for the longer of a person who is quick and the restart of the engine', () => {
    const quick = { ...compressed, switchingMode: 'manual', operatorDecisionSeconds: 1 } as const;
    expect(computeBudget(input(quick)).rto.sickHolder.totalSeconds).toBe(20);
  });

  it.each([{ engineRestartsPerHour: 0 }, { engineRestartGraceSeconds: 0 }])(
    'gives no time to a restart that is not waited for: %j',
    (change) => {
      const { stages, totalSeconds } = computeBudget(input({ ...compressed, ...change })).rto.sickHolder;
      expect(totalSeconds).toBe(18);
      expect(stages.map(({ stage }) => stage)).not.toContain('local engine restart gets its chance');
    },
  );

  it('stretches the lease by the clock drift that is allowed', () => {
    const { stages } = computeBudget(input({ leaseTtlSeconds: 30, leaseMaxClockDriftPpm: 1000 })).rto
      .regionLoss;
    expect(stages[0]).toEqual({ stage: 'lease runs out on any clock', seconds: 30.03 });
  });

  it('holds the objectives with the defaults', () => {
    const { rto, rpo } = computeBudget(defaults);
    expect(rto.predictedSeconds).toBeLessThanOrEqual(rto.objectiveSeconds);
    expect(rpo.predictedSeconds).toBeLessThanOrEqual(rpo.objectiveSeconds);
  });

  it('gives what the stack outputs promise', () => {
    expect(() => BudgetOutput.parse(computeBudget(defaults))).not.toThrow();
  });

  it('never predicts less when a stage grows', () => {
    const stages = fc.constantFrom(
      'leaseTtlSeconds',
      'handoverSyncSeconds',
      'leaseSafetyMarginSeconds',
      'probeIntervalSeconds',
      'probeTimeoutSeconds',
      'dnsTtlSeconds',
      'dnsCheckIntervalSeconds',
    );
    fc.assert(
      fc.property(stages, fc.integer({ min: 1, max: 500 }), (key, more) => {
        const grown = computeBudget(input({ [key]: defaults[key] + more }));
        return grown.rto.predictedSeconds >= computeBudget(defaults).rto.predictedSeconds;
      }),
    );
  });
});

it('writes a sum out', () => {
  const stages = [
    { stage: 'one', seconds: 1.5 },
    { stage: 'two', seconds: 2 },
  ];
  expect(writeOutSum(stages)).toBe('1.5 (one) + 2 (two) = 3.5 s');
});

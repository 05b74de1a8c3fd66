import fc from 'fast-check';
import { NO_VERDICT, judge, type ProbeOutcome, type Verdict } from './verdict';

const RULES = { failureThreshold: 3, recoveryThreshold: 5, windowProbes: 10, windowFailureRatio: 0.5 };
const run = (outcomes: readonly ProbeOutcome[], from: Verdict = NO_VERDICT) =>
  outcomes.reduce((verdict, outcome) => judge(verdict, outcome, RULES), from);
const times = (count: number, outcome: ProbeOutcome) => Array<ProbeOutcome>(count).fill(outcome);
const UP = run(['ok']);
const DOWN = run(times(3, 'failed'));

describe('verdict', () => {
  it('is healthy from the first success on and failing only after the streak', () => {
    expect(UP.health).toBe('healthy');
    expect(run(times(2, 'failed'), UP).health).toBe('healthy');
    expect(run(times(3, 'failed'), UP).health).toBe('failing');
  });

  it('stays unknown, not failing, until enough has failed', () => {
    expect(run(times(2, 'failed')).health).toBe('unknown');
    expect(DOWN.health).toBe('failing');
  });
});

describe('trap 24: streaks miss fail, ok, fail, ok', () => {
  const flapping = Array.from({ length: 10 }, (_, index): ProbeOutcome =>
    index % 2 === 0 ? 'failed' : 'ok',
  );

  it('is failing when half of the window failed, although no streak was long enough', () => {
    expect(run(flapping.slice(0, 8), UP).health).toBe('healthy');
    expect(run(flapping, UP).health).toBe('failing');
  });

  it('needs more successes to come up than failures to go down', () => {
    expect(run(times(4, 'ok'), DOWN).health).toBe('failing');
    expect(run([...times(4, 'ok'), 'failed', ...times(4, 'ok')], DOWN).health).toBe('failing');
    expect(run(times(5, 'ok'), DOWN).health).toBe('healthy');
  });

  it('does not come up while it flaps', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 })), (runs) => {
        const outcomes = runs.flatMap((length): ProbeOutcome[] => [...times(length, 'ok'), 'failed']);
        expect(run(outcomes, DOWN).health).toBe('failing');
      }),
    );
  });
});

describe('trap 2: saturation is not a failure', () => {
  it('breaks a streak of failures but proves no recovery', () => {
    expect(run(['failed', 'failed', 'saturated', 'failed', 'failed'], UP).health).toBe('healthy');
    expect(run(times(20, 'saturated'), DOWN).health).toBe('failing');
    expect(run(times(20, 'saturated'), UP).health).toBe('healthy');
  });
});

/**
 * Turns single probes into a verdict that does not flap: a streak and a failure rate over a window, more proof for up
 * than for down, and "unknown" for no proof at all.
 */
import type { Health } from '../../../infra/contract/agent-api';

/**
 * - ok: answered as it should
 * - failed: did not
 * - saturated: missed the deadline while visibly at work; proof of neither
 */
export type ProbeOutcome = 'ok' | 'failed' | 'saturated';

export interface ProbeResult {
  readonly outcome: ProbeOutcome;
  readonly detail: string;
  /** Nobody listens: the process is not there, or still starting. */
  readonly absent?: boolean;
}

export interface VerdictRules {
  readonly failureThreshold: number;
  readonly recoveryThreshold: number;
  readonly windowProbes: number;
  readonly windowFailureRatio: number;
}

export interface Verdict {
  readonly health: Health;
  readonly failures: number;
  readonly successes: number;
  /** True per failed probe, oldest first. */
  readonly window: readonly boolean[];
}

export const NO_VERDICT: Verdict = { health: 'unknown', failures: 0, successes: 0, window: [] };

export function judge(before: Verdict, outcome: ProbeOutcome, rules: VerdictRules): Verdict {
  const failed = outcome === 'failed';
  const window = [...before.window, failed].slice(-rules.windowProbes);
  const failures = failed ? before.failures + 1 : 0;
  const successes = failed ? 0 : before.successes + (outcome === 'ok' ? 1 : 0);
  const next = { health: before.health, failures, successes, window };
  if (before.health === 'failing') {
    if (successes < rules.recoveryThreshold) return next;
    // What was seen while it was down must not bring it down again.
    return { ...next, health: 'healthy', window: [] };
  }
  if (failures >= rules.failureThreshold || tooManyFailed(window, rules))
    return { ...next, health: 'failing' };
  if (before.health === 'unknown' && !failed) return { ...next, health: 'healthy' };
  return next;
}

function tooManyFailed(window: readonly boolean[], rules: VerdictRules): boolean {
  if (window.length < rules.windowProbes) return false;
  return window.filter(Boolean).length / window.length >= rules.windowFailureRatio;
}

/** How long a client was without service, and when it was well again. Pure functions of its attempts. */
import type { Attempt } from '../record';

export interface Outage {
  /** End of the last success before; the window's start where there was none. */
  readonly from: number;
  /** End of the first success after; null while there is none. */
  readonly to: number | null;
  readonly seconds: number;
  readonly errors: number;
}

export interface ClientSummary {
  readonly client: string;
  readonly attempts: number;
  readonly errors: number;
  readonly longest: Outage | null;
}

/**
 * Every run of failed attempts. An outage lasts from the end of the last success before the run to the end of the
 * first success after it, so the waiting between requests counts as outage: it can only be overstated.
 */
export function outagesOf(attempts: readonly Attempt[], windowStart: number, windowEnd: number): Outage[] {
  const ordered = [...attempts]
    .filter((attempt) => attempt.end >= windowStart && attempt.start <= windowEnd)
    .sort((a, b) => a.start - b.start);
  const outages: Outage[] = [];
  let lastSuccess = windowStart;
  let errors = 0;
  for (const attempt of ordered) {
    if (!attempt.ok) {
      errors += 1;
      continue;
    }
    if (errors > 0) outages.push(outage(lastSuccess, attempt.end, errors));
    errors = 0;
    lastSuccess = Math.max(lastSuccess, attempt.end);
  }
  if (errors > 0)
    outages.push({ from: lastSuccess, to: null, seconds: (windowEnd - lastSuccess) / 1000, errors });
  return outages;
}

function outage(from: number, to: number, errors: number): Outage {
  return { from, to, seconds: Math.max(0, to - from) / 1000, errors };
}

export function summarise(
  client: string,
  attempts: readonly Attempt[],
  windowStart: number,
  windowEnd: number,
): ClientSummary {
  const own = attempts.filter((attempt) => attempt.client === client);
  const inside = own.filter((attempt) => attempt.end >= windowStart && attempt.start <= windowEnd);
  const outages = outagesOf(own, windowStart, windowEnd);
  const longest = outages.reduce<Outage | null>(
    (worst, each) => (worst === null || each.seconds > worst.seconds ? each : worst),
    null,
  );
  return {
    client,
    attempts: inside.length,
    errors: inside.filter((attempt) => !attempt.ok).length,
    longest,
  };
}

export interface Recovery {
  /** End of the first success that was followed by `sustainMs` without a failure; null while there is none. */
  readonly at: number | null;
  /** From the fault; 0 for a client that no request failed for. */
  readonly seconds: number | null;
}

/** When a client was well again after the fault, and stayed so. */
export function recoveryOf(
  attempts: readonly Attempt[],
  faultAt: number,
  until: number,
  sustainMs: number,
): Recovery {
  const after = attempts
    .filter((attempt) => attempt.end > faultAt && attempt.start <= until)
    .sort((a, b) => a.start - b.start);
  const firstFailure = after.findIndex((attempt) => !attempt.ok);
  if (firstFailure === -1) return { at: faultAt, seconds: 0 };
  for (let i = firstFailure + 1; i < after.length; i += 1) {
    const candidate = after[i];
    if (candidate === undefined || !candidate.ok) continue;
    const nextFailure = after.slice(i + 1).find((attempt) => !attempt.ok);
    const quietUntil = nextFailure?.start ?? until;
    if (quietUntil - candidate.end >= sustainMs) {
      return { at: candidate.end, seconds: (candidate.end - faultAt) / 1000 };
    }
  }
  return { at: null, seconds: null };
}

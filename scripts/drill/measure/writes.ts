/** What became of the writes: lost ones, and ones that two sites acknowledged at the same time. */
import type { LeaseHistoryEntry } from '../../../infra/contract/agent-api';
import type { Attempt, DataCheck } from '../record';

export interface LostWrite {
  readonly pointId: number;
  readonly client: string;
  readonly ackedAt: number;
  readonly site: string | null;
  readonly epoch: number | null;
}

export interface Loss {
  readonly lost: readonly LostWrite[];
  readonly points: number;
  /**
   * From the oldest lost acknowledgement to the fault, or to the newest lost acknowledgement where that is later;
   * 0 when nothing was lost.
   */
  readonly seconds: number;
  readonly acknowledged: number;
}

export function acknowledged(attempts: readonly Attempt[]): (Attempt & { pointId: number })[] {
  return attempts.filter(
    (attempt): attempt is Attempt & { pointId: number } => attempt.ok && attempt.pointId !== undefined,
  );
}

/** Acknowledged before the scroll began, whichever site did it, and not found by it. */
export function lossAt(attempts: readonly Attempt[], check: DataCheck, faultAt: number): Loss {
  const present = new Set(check.ids);
  const acks = acknowledged(attempts).filter((attempt) => attempt.end < check.at);
  const lost = acks
    .filter((attempt) => !present.has(attempt.pointId))
    .map((attempt) => ({
      pointId: attempt.pointId,
      client: attempt.client,
      ackedAt: attempt.end,
      site: attempt.site,
      epoch: attempt.epoch,
    }))
    .sort((a, b) => a.ackedAt - b.ackedAt);
  const oldest = lost[0]?.ackedAt;
  const newest = lost.at(-1)?.ackedAt;
  const seconds =
    oldest === undefined || newest === undefined ? 0 : Math.max(0, Math.max(faultAt, newest) - oldest) / 1000;
  return { lost, points: lost.length, seconds, acknowledged: acks.length };
}

/**
 * Missing after the failback although they survived the failover or were acknowledged after it: everything found
 * right after the failover, and every acknowledgement that was not already counted as lost there.
 */
export function missingAfterFailback(
  attempts: readonly Attempt[],
  afterFailover: DataCheck,
  afterFailback: DataCheck,
  lost: readonly LostWrite[],
): number[] {
  const present = new Set(afterFailback.ids);
  const gone = new Set(lost.map((write) => write.pointId));
  const expected = new Set(afterFailover.ids);
  for (const attempt of acknowledged(attempts)) {
    if (attempt.end < afterFailback.at && !gone.has(attempt.pointId)) expected.add(attempt.pointId);
  }
  return [...expected].filter((id) => !present.has(id)).sort((a, b) => a - b);
}

export interface Recovery {
  readonly lost: number;
  /** Of the lost, there again after the merge. */
  readonly recovered: number;
  /** There before the merge and not after it. */
  readonly missing: readonly number[];
}

/** What a merge has brought back of the writes that the failover had lost. */
export function recoveredBy(lost: readonly LostWrite[], before: DataCheck, after: DataCheck): Recovery {
  const present = new Set(after.ids);
  return {
    lost: lost.length,
    recovered: lost.filter(({ pointId }) => present.has(pointId)).length,
    missing: before.ids.filter((id) => !present.has(id)),
  };
}

export interface DoubleWrite {
  readonly pointId: number;
  readonly client: string;
  readonly site: string | null;
  readonly epoch: number;
  readonly at: number;
  readonly because: string;
}

/**
 * Acknowledgements that prove two writers: by a site that did not hold the epoch it named, or under a lower epoch by
 * a request that began after an acknowledgement under a higher one had arrived. Requests that merely overlap prove
 * nothing and are not counted.
 */
export function doubleWrites(
  attempts: readonly Attempt[],
  history: readonly Pick<LeaseHistoryEntry, 'epoch' | 'holder'>[],
): DoubleWrite[] {
  const holders = new Map(history.map((entry) => [entry.epoch, entry.holder]));
  const acks = acknowledged(attempts).filter((attempt) => attempt.epoch !== null);
  const byEnd = [...acks].sort((a, b) => a.end - b.end);
  const found: DoubleWrite[] = [];
  let next = 0;
  let highest: (typeof acks)[number] | null = null;
  for (const attempt of [...acks].sort((a, b) => a.start - b.start)) {
    for (let seen = byEnd[next]; seen !== undefined && seen.end <= attempt.start; seen = byEnd[next]) {
      if (highest === null || (seen.epoch ?? 0) > (highest.epoch ?? 0)) highest = seen;
      next += 1;
    }
    const epoch = attempt.epoch ?? 0;
    const holder = holders.get(epoch);
    const because =
      holder !== undefined && attempt.site !== null && holder !== attempt.site
        ? `epoch ${epoch} is held by ${holder}`
        : highest !== null && epoch < (highest.epoch ?? 0)
          ? `epoch ${highest.epoch ?? 0} had been acknowledged by ${highest.site ?? 'another site'} before it began`
          : null;
    if (because === null) continue;
    found.push({
      pointId: attempt.pointId,
      client: attempt.client,
      site: attempt.site,
      epoch,
      at: attempt.end,
      because,
    });
  }
  return found;
}

/** Acknowledgements that name no epoch: nothing can be proved about them. */
export function withoutEpoch(attempts: readonly Attempt[]): number {
  return acknowledged(attempts).filter((attempt) => attempt.epoch === null).length;
}

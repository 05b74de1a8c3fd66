/**
 * Holds what the clients saw to what the lease promises. Its only sources are the clients' own log, the lease's history
 * and what the stores hold in the end, so that an agent which is mistaken about itself cannot talk it round.
 */
import type { LeaseHistoryEntry } from '../../infra/contract/agent-api';
import { acknowledged, doubleWrites } from '../drill/measure/writes';
import type { Attempt } from '../drill/record';

/** A publish that a site had applied: what a failover to it brought back. Times by the sites' clocks. */
export interface AppliedPublish {
  readonly site: string;
  readonly appliedAt: number;
  readonly begunAt: number;
}

/** Every point that a site's store held, once no client wrote any more. */
export interface StoreContent {
  readonly site: string;
  readonly ids: readonly number[];
}

export interface WriteHistory {
  /** Every write that any client sent, answered or not. */
  readonly writes: readonly Attempt[];
  readonly lease: readonly LeaseHistoryEntry[];
  readonly applied: readonly AppliedPublish[];
  readonly seedIds: readonly number[];
  readonly stores: readonly StoreContent[];
}

export type Rule =
  /** Acknowledged by a site that did not hold the epoch that it named, or that nobody ever held. */
  | 'acknowledged without the lease'
  | 'acknowledged without an epoch'
  /** Under a lower epoch, by a request begun after an acknowledgement under a higher one had arrived. */
  | 'epoch went back'
  /** Acknowledged, not found, and no failover documents the loss. */
  | 'lost'
  /** Found, and never sent by anybody. */
  | 'never sent'
  /** The lease's own history does not count by one, or names another previous holder. */
  | 'lease history';

export interface Violation {
  readonly rule: Rule;
  readonly pointId: number | null;
  readonly detail: string;
}

export interface Verdict {
  readonly sent: number;
  readonly acknowledged: number;
  /** Writes that are gone and whose loss a failover documents. */
  readonly documentedLosses: readonly number[];
  readonly violations: readonly Violation[];
}

/** A whole second for clocks and the publishes' names, which know no less. */
const SLACK_MS = 1_000;

export function checkHistory(history: WriteHistory): Verdict {
  const { writes } = history;
  const losses = lostWrites(history);
  return {
    sent: writes.length,
    acknowledged: acknowledged(writes).length,
    documentedLosses: [...new Set(losses.documented)].sort((a, b) => a - b),
    violations: [
      ...leaseViolations(history.lease),
      ...acknowledgementViolations(writes, history.lease),
      ...losses.violations,
      ...neverSent(history),
    ],
  };
}

/** What can be told while clients still write: who acknowledged, and under which epoch. */
export function acknowledgementViolations(
  writes: readonly Attempt[],
  lease: readonly Pick<LeaseHistoryEntry, 'epoch' | 'holder'>[],
): Violation[] {
  const known = new Set(lease.map(({ epoch }) => epoch));
  const nameless = acknowledged(writes).flatMap(({ epoch, site, pointId }): Violation[] => {
    if (epoch === null || site === null)
      return [{ rule: 'acknowledged without an epoch', pointId, detail: `by ${site ?? 'nobody named'}` }];
    if (known.has(epoch)) return [];
    const detail = `${site} names epoch ${epoch}, which nobody held`;
    return [{ rule: 'acknowledged without the lease', pointId, detail }];
  });
  const doubles = doubleWrites(writes, lease).map(({ pointId, site, epoch, because }): Violation => {
    const rule = because.includes('is held by') ? 'acknowledged without the lease' : 'epoch went back';
    return { rule, pointId, detail: `${site ?? '?'} under epoch ${epoch}, although ${because}` };
  });
  return [...nameless, ...doubles];
}

function leaseViolations(lease: readonly LeaseHistoryEntry[]): Violation[] {
  return lease.slice(1).flatMap((entry, index): Violation[] => {
    const before = lease[index];
    if (before === undefined) return [];
    const wrong =
      entry.epoch !== before.epoch + 1
        ? `epoch ${entry.epoch} follows ${before.epoch}`
        : entry.previousHolder !== before.holder
          ? `epoch ${entry.epoch} was taken from ${entry.previousHolder ?? 'nobody'}, and ${before.holder} held it`
          : entry.holder === before.holder && entry.acceptedDataLoss === null
            ? `epoch ${entry.epoch} has the holder of the one before`
            : null;
    return wrong === null ? [] : [{ rule: 'lease history', pointId: null, detail: wrong }];
  });
}

function lostWrites({ writes, lease, applied, stores }: WriteHistory): {
  violations: Violation[];
  documented: number[];
} {
  const bounds = lease.map((entry) => ({ epoch: entry.epoch, since: lostSince(entry, applied) }));
  const violations: Violation[] = [];
  const documented: number[] = [];
  for (const store of stores) {
    const present = new Set(store.ids);
    for (const { pointId, epoch, end } of acknowledged(writes)) {
      if (present.has(pointId)) continue;
      const later = bounds.filter((change) => change.epoch > (epoch ?? Infinity));
      if (later.some(({ since }) => end >= since - SLACK_MS)) documented.push(pointId);
      else {
        const detail = `acknowledged under epoch ${epoch ?? '?'} at ${new Date(end).toISOString()}, not at ${store.site}`;
        violations.push({ rule: 'lost', pointId, detail });
      }
    }
  }
  return { violations, documented };
}

/**
 * From when on a change of holder lost the writes of the holders before: the age of the data that it went on with.
 * Never where it was handed over in order; everything that the new holder's last publish lacks where no age is told.
 */
function lostSince(entry: LeaseHistoryEntry, applied: readonly AppliedPublish[]): number {
  const at = Date.parse(entry.at);
  if (entry.cause === 'bootstrap') return Infinity;
  if (entry.cause.startsWith('handover') && entry.dataAgeSeconds === 0) return Infinity;
  if (entry.dataAgeSeconds !== null) return at - entry.dataAgeSeconds * 1000;
  const publishes = applied.filter(({ site, appliedAt }) => site === entry.holder && appliedAt <= at);
  return Math.max(-Infinity, ...publishes.map(({ begunAt }) => begunAt));
}

function neverSent({ writes, seedIds, stores }: WriteHistory): Violation[] {
  const sent = new Set([...seedIds, ...writes.map(({ pointId }) => pointId)]);
  return stores.flatMap(({ site, ids }) =>
    ids
      .filter((id) => !sent.has(id))
      .map((pointId): Violation => ({ rule: 'never sent', pointId, detail: `found at ${site}` })),
  );
}

const APPLIED = /^\d{10}-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/;

/** When the publish was begun that an agent's event says it applied; its name tells, to the second. */
export function publishBegunAt(detail: string): number | null {
  const match = APPLIED.exec(detail);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

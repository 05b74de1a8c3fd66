/**
 * What is to be told to whom. Kept by alert and not by message, so that it cannot grow: a target that was away learns how
 * things stand, not how often they changed. Each alert is told as begun at least once, even when it is over by then.
 */
import type { AlertSeverity } from '../../../infra/contract/agent-api';
import type { AlertTargetKind } from '../../../infra/contract/outward-spec';
import type { Condition } from './conditions';

export interface Entry {
  readonly key: string;
  readonly severity: AlertSeverity;
  readonly summary: string;
  readonly detail: string;
  /** Wall clock, for people. */
  readonly since: string;
  /** When it ended; null while it lasts. */
  readonly over: string | null;
  readonly epoch: number | null;
  /** What each target has been told last. */
  readonly told: Readonly<Partial<Record<AlertTargetKind, AlertSeverity | 'over'>>>;
}

export type Action = 'trigger' | 'resolve';

/** More would be take-overs of as many epochs that no target has heard of. */
export const MAX_ENTRIES = 100;

export interface Moment {
  readonly at: string;
  readonly epoch: number | null;
}

/** Begins what is new and brings back what has returned. What is not named is left as it is. */
export function begin(
  entries: readonly Entry[],
  conditions: readonly Condition[],
  { at, epoch }: Moment,
): readonly Entry[] {
  const known = new Map(entries.map((entry) => [entry.key, entry]));
  for (const { key, severity, summary, detail } of conditions) {
    const before = known.get(key);
    const lasting = before !== undefined && before.over === null;
    known.set(key, {
      key,
      severity,
      summary,
      detail,
      since: lasting ? before.since : at,
      over: null,
      epoch: lasting ? before.epoch : epoch,
      told: before?.told ?? {},
    });
  }
  return [...known.values()].slice(-MAX_ENTRIES);
}

/** Ends whatever lasts and is not among these keys. */
export function endOthers(
  entries: readonly Entry[],
  lasting: ReadonlySet<string>,
  at: string,
): readonly Entry[] {
  return entries.map((entry) =>
    entry.over !== null || lasting.has(entry.key) ? entry : { ...entry, over: at },
  );
}

/** Forgets what is over and known to be so everywhere. */
export function prune(entries: readonly Entry[], targets: readonly AlertTargetKind[]): readonly Entry[] {
  return entries.filter(({ over, told }) => over === null || targets.some((kind) => told[kind] !== 'over'));
}

/** What this target is to be told of this alert next; null when it knows how things stand. */
export function dueAction({ told, over, severity }: Entry, target: AlertTargetKind): Action | null {
  const last = told[target];
  if (last === undefined) return 'trigger';
  if (over !== null) return last === 'over' ? null : 'resolve';
  return last === severity ? null : 'trigger';
}

/** `sent` as it was when it was sent: what has changed since then is still due. */
export function markTold(
  entries: readonly Entry[],
  sent: Entry,
  target: AlertTargetKind,
  action: Action,
): readonly Entry[] {
  const now = action === 'resolve' ? 'over' : sent.severity;
  return entries.map((entry) =>
    entry.key === sent.key ? { ...entry, told: { ...entry.told, [target]: now } } : entry,
  );
}

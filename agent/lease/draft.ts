/** Small moves that every part of the core makes. */
import type { AgentEvent, Lease, Reason } from '../../infra/contract/agent-api';
import type { Draft, Handover, Hold, LeaseState } from './model';
import type { PersistedState } from './ports';

/** Between two looks at the history, or tries to write it. */
export const HISTORY_PAUSE_MS = 5000;

export function serial(d: Draft): number {
  d.s.serial += 1;
  return d.s.serial;
}

export function emit(d: Draft, kind: AgentEvent['kind'], detail: string): void {
  d.actions.push({ type: 'emit', kind, detail, epoch: knownEpoch(d.s) });
}

/** The epoch that this site goes by: its own, or the one that it saw last. */
export function knownEpoch(s: LeaseState): number | null {
  if (s.hold !== null) return s.hold.epoch;
  return s.observed?.kind === 'lease' ? s.observed.lease.epoch : null;
}

/** Tells once per condition; `clearAlert` arms it again. */
export function alert(d: Draft, code: string, message: string): void {
  if (d.s.alerts.includes(code)) return;
  d.s.alerts = [...d.s.alerts, code];
  emit(d, 'alert', `${code}: ${message}`);
}

export function clearAlert(d: Draft, ...codes: readonly string[]): void {
  if (d.s.alerts.some((code) => codes.includes(code))) {
    d.s.alerts = d.s.alerts.filter((code) => !codes.includes(code));
  }
}

/** Changes what must outlive the process, and answers the number whose `persist-done` means that it does. */
export function remember(d: Draft, change: Partial<PersistedState>): number {
  d.s.persisted = { ...d.s.persisted, ...change };
  return persistNow(d);
}

export function persistNow(d: Draft): number {
  d.s.requestedSeq += 1;
  d.actions.push({ type: 'persist', seq: d.s.requestedSeq, value: d.s.persisted });
  return d.s.requestedSeq;
}

export function newLease(d: Draft, epoch: number, holder: string): Lease {
  return {
    version: 1,
    epoch,
    holder,
    nonce: `${d.s.config.site}/${d.s.incarnation}/${serial(d)}`,
    ttlSeconds: d.s.config.ttlMs / 1000,
    writtenAt: d.e.wall,
  };
}

/** The site whose agent wrote this lease. */
export const writerOf = (lease: Lease): string => lease.nonce.split('/')[0] ?? '';

/**
 * Was this lease in the store before the one with that nonce? Of one process's writes the numbers tell; and the first of
 * an epoch that was handed over is not its holder's own. False where nothing tells.
 */
export function isOlder(lease: Lease, than: string | undefined): boolean {
  if (than === undefined) return false;
  const [writer, incarnation, number] = lease.nonce.split('/');
  const [otherWriter, otherIncarnation, otherNumber] = than.split('/');
  if (writer !== otherWriter) return otherWriter === lease.holder;
  return incarnation === otherIncarnation && Number(number) < Number(otherNumber);
}

export function patchHold(d: Draft, change: Partial<Hold>): void {
  if (d.s.hold !== null) d.s.hold = { ...d.s.hold, ...change };
}

export function patchHandover(d: Draft, change: Partial<Handover>): void {
  if (d.s.handover !== null) d.s.handover = { ...d.s.handover, ...change };
}

export function answerOk(d: Draft, id: number, epoch: number, holder: string): void {
  d.actions.push({ type: 'answer', id, result: { epoch, holder } });
}

export function refuse(d: Draft, id: number, code: string, message: string): void {
  const refused: Reason = { code, message };
  d.actions.push({ type: 'answer', id, result: { refused } });
}

/** Learns of an epoch; a hold under an older one is void from this moment on. */
export function learnEpoch(d: Draft, epoch: number): void {
  if (epoch <= d.s.persisted.highestEpoch) return;
  d.s.highestEpochAt = d.e.now;
  if (d.s.persisted.highestEpoch > 0) d.s.epochChangedAt = d.e.now;
  wantHistory(d);
  remember(d, { highestEpoch: epoch });
}

/** Tells that a holder has changed, for cooldown and the switches-an-hour bound. */
export function countSwitch(d: Draft, automatic: boolean): void {
  d.s.switches = [...d.s.switches, { at: d.e.now, automatic }].slice(-50);
  wantHistory(d);
}

/** Looks again a little later, when the site that made the change will have recorded it. */
function wantHistory(d: Draft): void {
  d.s.historyWanted = true;
  d.s.nextHistoryReadAt = Math.max(d.s.nextHistoryReadAt, d.e.now + HISTORY_PAUSE_MS);
}

/** Small moves that every part of the leader's core makes. */
import type { LeaderAction, LeaderEvent, LeaderState, OwnWrite, Seen } from './model';
import { comparePositions } from './record';

export interface LeaderDraft {
  readonly s: LeaderState;
  readonly e: LeaderEvent;
  readonly actions: LeaderAction[];
}

export function serial(d: LeaderDraft): number {
  d.s.serial += 1;
  return d.s.serial;
}

/** Alerts once per condition; the next good reading arms it again. */
export function tellOnce(d: LeaderDraft, code: string, detail: string): void {
  if (d.s.alerts.includes(code)) return;
  d.s.alerts = [...d.s.alerts, code];
  d.actions.push({ type: 'alert', code, detail });
}

/** Keeps the time of the last change, and has a copy of a change of the memory saved here. */
export function notice(d: LeaderDraft, seen: Seen): void {
  const { s } = d;
  const before = s.seen;
  if (seen.kind === 'record') {
    s.alerts = [];
    if (s.copy === null || comparePositions(s.copy, seen.record) < 0)
      d.actions.push({ type: 'save-copy', record: seen.record });
  }
  const same =
    before !== null &&
    (before.kind === 'record' && seen.kind === 'record'
      ? before.etag === seen.etag && before.record.nonce === seen.record.nonce
      : before.kind === seen.kind);
  if (!same) s.seen = seen;
}

export function loseLead(d: LeaderDraft, why: string): void {
  const { s, e } = d;
  if (s.lead === null) return;
  d.actions.push({ type: 'tell', detail: `${s.config.server} leads no more: ${why}` });
  s.lead = null;
  s.ask = null;
  s.nextStoreAt = e.now;
}

/** A write of ours is in the store: this server leads on from the moment before it was sent. */
export function confirm(d: LeaderDraft, { record, sentAt }: OwnWrite, etag: string): void {
  const { s, e } = d;
  const { config } = s;
  const began = s.lead === null;
  const deadline = sentAt + config.ttlMs * (1 - config.drift) - config.marginMs;
  const lead = s.lead ?? {
    term: record.term,
    etag,
    storeDeadline: -Infinity,
    promiseDeadline: -Infinity,
    revision: record.revision,
    memory: record.memory,
    storedRevision: record.revision,
    ownWrites: [],
    troubled: false,
  };
  s.openClaim = null;
  s.lead = {
    ...lead,
    etag,
    storeDeadline: Math.max(lead.storeDeadline, deadline),
    storedRevision: Math.max(lead.storedRevision, record.revision),
    ownWrites: [],
    troubled: false,
  };
  s.ask = null;
  // What was asked to be remembered meanwhile does not wait for the next renewal.
  s.nextStoreAt =
    s.lead.revision > s.lead.storedRevision ? e.now : Math.max(e.now, sentAt + config.ttlMs / 3);
  notice(d, { kind: 'record', record, etag, changedAt: e.now });
  if (began && e.now < deadline)
    d.actions.push({ type: 'tell', detail: `${config.server} leads, term ${record.term}` });
}

/** Taking the lease over: when a site may, the record of the intent, and what became of it. */
import type { LeaseHistoryEntry, PromoteRequest, Reason } from '../../infra/contract/agent-api';
import {
  alert,
  clearAlert,
  countSwitch,
  emit,
  isOlder,
  newLease,
  persistNow,
  refuse,
  remember,
  serial,
} from './draft';
import { takeUp } from './hold';
import { lineageReason } from './lineage';
import type { Draft, LeaseState, StoreOperation, WriteResult } from './model';
import { ABSENT } from './ports';
import { expiresAt, retryAfterMs } from './timing';
import { withheld } from './veto';

const HOUR_MS = 3_600_000;

/** Called with every fresh reading that shows no lease of this site's. */
export function considerClaim(d: Draft): void {
  const { s, e } = d;
  if (s.hold !== null || s.observed === null || e.now < expiresAt(s)) return;
  if (e.now < s.grantedUntil) return;
  tellExpiry(d);
  const refusal = s.promotion === null ? automaticRefusal(d) : promotionRefusal(d, s.promotion.request);
  if (refusal !== null && s.promotion !== null) {
    refuse(d, s.promotion.id, refusal.code, refusal.message);
    s.promotion = null;
    return;
  }
  if (refusal !== null) {
    if (refusal.code === 'NO_LEASE_YET' || refusal.code === 'PROPOSED') return;
    alert(d, `CLAIM_BLOCKED_${refusal.code}`, refusal.message);
    return;
  }
  beginClaim(d);
}

function tellExpiry(d: Draft): void {
  const { observed } = d.s;
  if (observed?.kind !== 'lease' || observed.expiryTold) return;
  d.s.observed = { ...observed, expiryTold: true };
  emit(d, 'lease-expired-seen', `${observed.lease.holder} has not renewed epoch ${observed.lease.epoch}`);
}

/** Why this site does not take the lease by itself, or null when it does. */
function automaticRefusal(d: Draft): Reason | null {
  const { s, e } = d;
  if (s.observed?.kind === 'absent') return bootstrapRefusal(s);
  if (s.config.mode === 'manual') {
    return { code: 'MANUAL', message: 'the lease has run out; `failover promote` lets this site take over' };
  }
  return (
    blockedBy(s, e.now) ??
    lineageReason(s.persisted) ??
    notPromotable(d) ??
    withheld(d, 'claim', `${s.config.peer} has not renewed its lease in time`)
  );
}

function bootstrapRefusal(s: LeaseState): Reason | null {
  if (s.persisted.highestEpoch > 0) {
    return {
      code: 'LEASE_MISSING',
      message: `there was a lease with epoch ${s.persisted.highestEpoch} and now there is none; promote a site`,
    };
  }
  return s.config.initialHolder
    ? null
    : { code: 'NO_LEASE_YET', message: 'the initial holder has not started' };
}

/** Cooldown and the bound on switches an hour; for automatic switches only. */
export function blockedBy(s: LeaseState, now: number): Reason | null {
  const last = Math.max(s.epochChangedAt, ...s.switches.map((past) => past.at));
  if (now - last < s.config.cooldownMs) {
    return { code: 'COOLDOWN', message: `the last switch was less than ${s.config.cooldownMs / 1000} s ago` };
  }
  const automatic = s.switches.filter((past) => past.automatic && now - past.at < HOUR_MS).length;
  if (automatic >= s.config.maxSwitchesPerHour) {
    return {
      code: 'TOO_MANY_SWITCHES',
      message: `${automatic} automatic switches in the last hour; find out why, then promote by hand`,
    };
  }
  return null;
}

/** Why a site is not promoted without somebody accepting the loss; asked at the request and again before each claim. */
export function promotionRefusal(d: Draft, request: PromoteRequest): Reason | null {
  if (request.acceptDataLoss === true) return null;
  const reason = lineageReason(d.s.persisted) ?? notPromotable(d);
  return reason === null
    ? null
    : { code: reason.code, message: `${reason.message}. To go on all the same: --accept-data-loss` };
}

function notPromotable(d: Draft): Reason | null {
  const { promotable, reasons } = d.e.local.promotable;
  if (promotable) return null;
  const first = reasons[0];
  return { code: first?.code ?? 'NOT_PROMOTABLE', message: reasons.map((r) => r.message).join('; ') };
}

function beginClaim(d: Draft): void {
  const { s } = d;
  const observed = s.observed;
  if (observed === null) return;
  const ifMatch = observed.kind === 'lease' ? observed.etag : ABSENT;
  const open = s.persisted.pendingClaim;
  if (open !== null && open.ifMatch === ifMatch) {
    if (open.lease.epoch !== s.persisted.highestEpoch + 1) return;
    // The very same write again, so that it does not matter which of the two happens.
    const entry = s.promotion === null ? open.entry : historyEntry(d, open.lease.epoch);
    const needsSeq = remember(d, { pendingClaim: { ...open, entry } });
    s.claim = { approved: true, firstSentAt: s.claim?.firstSentAt ?? null, needsSeq };
    return;
  }
  const epoch = s.persisted.highestEpoch + 1;
  const entry = historyEntry(d, epoch);
  emit(d, 'claim-decided', `epoch ${epoch}, ${entry.cause}: ${entry.reason}`);
  const lease = newLease(d, epoch, s.config.site);
  const overNonce = observed.kind === 'lease' ? observed.lease.nonce : undefined;
  const pendingClaim = { lease, ifMatch, entry, ...(overNonce === undefined ? {} : { overNonce }) };
  const needsSeq = remember(d, { pendingClaim });
  s.claim = { approved: true, firstSentAt: null, needsSeq };
}

function historyEntry(d: Draft, epoch: number): LeaseHistoryEntry {
  const { s, e } = d;
  const request = s.promotion?.request;
  const previous = s.observed?.kind === 'lease' ? s.observed.lease.holder : null;
  const cause = request !== undefined ? 'promoted' : previous === null ? 'bootstrap' : 'expired';
  const nobodyMinds =
    s.config.mode === 'veto' ? `, and nobody vetoed it in ${s.config.graceMs / 1000} s` : '';
  const fallback =
    previous === null ? 'first lease of all' : `${previous} did not renew in time${nobodyMinds}`;
  return {
    epoch,
    holder: s.config.site,
    previousHolder: previous,
    at: e.wall,
    cause,
    by: request?.by ?? `agent of ${s.config.site}`,
    reason: request?.reason ?? fallback,
    dataAgeSeconds: previous === null ? null : e.local.dataAgeSeconds,
    acceptedDataLoss: request?.acceptDataLoss === true ? { by: request.by, reason: request.reason } : null,
  };
}

/** Sends a claim whose intent is on disk. Answers whether it did. */
export function sendClaim(d: Draft): boolean {
  const { s, e } = d;
  const pending = s.persisted.pendingClaim;
  if (pending === null || s.claim === null || !s.claim.approved || s.durableSeq < s.claim.needsSeq)
    return false;
  if (!stillWanted(d)) {
    s.claim = { ...s.claim, approved: false };
    if (s.claim.firstSentAt === null)
      dropClaim(d, 'this site is not promotable any more, or somebody has vetoed it');
    return false;
  }
  const op = serial(d);
  s.operation = { id: op, purpose: 'claim', sentAt: e.now, nonce: pending.lease.nonce };
  s.claim = { ...s.claim, approved: false, firstSentAt: s.claim.firstSentAt ?? e.now };
  d.actions.push({ type: 'write', op, lease: pending.lease, ifMatch: pending.ifMatch });
  return true;
}

function stillWanted(d: Draft): boolean {
  const { s, e } = d;
  if (s.promotion?.request.acceptDataLoss === true) return true;
  if (s.observed?.kind === 'absent' && s.promotion === null) return true;
  if (s.promotion === null && e.now < s.vetoUntil) return false;
  return e.local.promotable.promotable && lineageReason(s.persisted) === null;
}

export function claimDone(d: Draft, op: StoreOperation, result: WriteResult): void {
  const { s, e } = d;
  const pending = s.persisted.pendingClaim;
  if (pending === null) return;
  switch (result.kind) {
    case 'written':
      // Believed once a reading shows it: a store that forgets what it acknowledges would make two holders.
      s.nextStoreAt = e.now;
      return;
    case 'conflict':
      // Whether an earlier try of the same write was the one that won, only reading tells.
      s.nextStoreAt = e.now + (op.sentAt > (s.claim?.firstSentAt ?? op.sentAt) ? retryAfterMs(s.config) : 0);
      return;
    case 'unknown':
      s.nextStoreAt = e.now + retryAfterMs(s.config);
      return;
  }
}

/** Judges an open claim by what the store shows now. Answers true when this site turns out to be the holder. */
export function judgeOpenClaim(d: Draft): boolean {
  const { observed, persisted } = d.s;
  const pending = persisted.pendingClaim;
  if (pending === null || observed === null) return false;
  if (observed.kind === 'lease' && observed.lease.nonce === pending.lease.nonce) {
    claimLanded(d, observed.etag, d.s.claim?.firstSentAt ?? null);
    return true;
  }
  const shown = observed.kind === 'lease' ? observed.etag : ABSENT;
  const old = observed.kind === 'lease' && isOlder(observed.lease, pending.overNonce);
  if (shown !== pending.ifMatch && !old)
    dropClaim(d, 'the lease has changed since, so that it can never happen');
  return false;
}

function claimLanded(d: Draft, etag: string, sentAt: number | null): void {
  const pending = d.s.persisted.pendingClaim;
  if (pending === null) return;
  const { lease, entry } = pending;
  d.s.observed = { kind: 'lease', lease, etag, changedAt: d.e.now, expiryTold: false };
  recordHistory(d, entry);
  takeUp(d, lease, etag, sentAt);
  countSwitch(d, entry.cause === 'expired');
  clearAlert(d, ...d.s.alerts.filter((code) => code.startsWith('CLAIM_BLOCKED_')));
  d.s.proposal = null;
  emit(d, 'claimed', `epoch ${lease.epoch}, ${entry.cause}`);
}

function dropClaim(d: Draft, why: string): void {
  const epoch = d.s.persisted.pendingClaim?.lease.epoch;
  emit(d, 'switch-step', `claim of epoch ${epoch ?? '?'} given up: ${why}`);
  d.s.claim = null;
  remember(d, { pendingClaim: null });
}

/** Queues an entry; it is kept on disk until the store has it. */
export function recordHistory(d: Draft, entry: LeaseHistoryEntry): void {
  d.s.persisted = {
    ...d.s.persisted,
    unwrittenHistory: [...d.s.persisted.unwrittenHistory, entry],
  };
  persistNow(d);
  d.s.nextHistoryWriteAt = d.e.now;
}

/** Gives up on a promotion that cannot be had in time. */
export function expirePromotion(d: Draft): void {
  const { promotion } = d.s;
  if (promotion === null) return;
  if (promotion.renewalsSeen >= 2) {
    d.s.promotion = null;
    const message = 'the holder is alive and renews; `failover switch` hands over without loss';
    refuse(d, promotion.id, 'HOLDER_ALIVE', message);
  } else if (d.e.now >= promotion.giveUpAt) {
    d.s.promotion = null;
    const open = d.s.persisted.pendingClaim !== null;
    const message = open
      ? 'the claim was sent and its outcome is not known yet; look at `failover status` before trying again'
      : 'the lease did not become free in time, or the witness cannot be reached from here';
    refuse(d, promotion.id, open ? 'CLAIM_OUTCOME_UNKNOWN' : 'PROMOTION_TIMED_OUT', message);
  }
}

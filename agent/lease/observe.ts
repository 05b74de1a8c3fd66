/** What the store shows, and what it means. */
import { considerClaim, judgeOpenClaim } from './claim';
import { alert, clearAlert, emit, learnEpoch, patchHold, writerOf } from './draft';
import { judgeOpenSwap } from './handover';
import { holderMissesLease, holderReads, loseHold, notShown, resume, takeUp } from './hold';
import { lineageReason } from './lineage';
import type { Draft, Observed, ReadResult, StoreOperation } from './model';
import { pollEveryMs, retryAfterMs } from './timing';
import { withdraw } from './veto';

export function readDone(d: Draft, op: StoreOperation, result: ReadResult): void {
  const { s, e } = d;
  switch (result.kind) {
    case 'unreachable':
    case 'corrupt':
      s.witness = result.kind === 'corrupt' ? 'unknown' : 'failing';
      s.nextStoreAt = e.now + retryAfterMs(s.config);
      if (result.kind === 'corrupt') alert(d, 'LEASE_CORRUPT', result.detail);
      patchHold(d, { troubled: true });
      notShown(d);
      return;
    case 'absent':
      if (isOutdated(d, op, 0)) return;
      contact(d);
      notice(d, { kind: 'absent', changedAt: e.now });
      judgeOpenClaim(d);
      judgeOpenSwap(d);
      holderMissesLease(d);
      if (s.persisted.highestEpoch > 0) alert(d, 'LEASE_MISSING', 'the store has no lease any more');
      considerClaim(d);
      return;
    case 'lease':
      if (isOutdated(d, op, result.lease.epoch)) return;
      if (result.lease.epoch < s.persisted.highestEpoch) {
        goneBack(d, result.lease.epoch);
        return;
      }
      contact(d);
      learnEpoch(d, result.lease.epoch);
      notice(d, {
        kind: 'lease',
        lease: result.lease,
        etag: result.etag,
        changedAt: e.now,
        expiryTold: false,
      });
      leaseSeen(d, result);
      return;
  }
}

/** True for an answer that may be from before a change that has been learned of meanwhile; it is asked for again. */
function isOutdated(d: Draft, op: StoreOperation, epoch: number): boolean {
  const outdated = op.sentAt <= d.s.highestEpochAt && epoch < d.s.persisted.highestEpoch;
  if (outdated) d.s.nextStoreAt = d.e.now;
  return outdated;
}

function leaseSeen(d: Draft, { lease, etag }: Extract<ReadResult, { kind: 'lease' }>): void {
  const { s } = d;
  if (judgeOpenClaim(d) || judgeOpenSwap(d)) return;
  if (s.hold !== null) {
    holderReads(d, lease, etag);
    return;
  }
  if (lease.holder === s.config.site && recognise(d, { kind: 'lease', lease, etag })) return;
  considerClaim(d);
}

/** The store names this site as the holder although it does not hold: after a restart, or handed over by the peer. */
function recognise(d: Draft, { lease, etag }: Extract<ReadResult, { kind: 'lease' }>): boolean {
  const { s } = d;
  const { lastHeldEpoch } = s.persisted;
  if (lastHeldEpoch === lease.epoch) {
    resume(d, lease, etag);
    return true;
  }
  const reason = lineageReason(s.persisted);
  const handed = writerOf(lease) !== s.config.site && (lastHeldEpoch ?? 0) < lease.epoch;
  if (handed && reason === null) {
    emit(d, 'claimed', `epoch ${lease.epoch}, handed over by ${writerOf(lease)}`);
    takeUp(d, lease, etag, null);
    return true;
  }
  alert(
    d,
    'LEASE_NOT_OURS',
    reason?.message ??
      'the lease names this site, which has no memory of holding it: its disk may be new. Promote the other site',
  );
  return false;
}

/** The store shows an epoch that is over, for example after a restore from a backup. */
function goneBack(d: Draft, epoch: number): void {
  const { s, e } = d;
  s.witness = 'unknown';
  s.nextStoreAt = e.now + pollEveryMs(s.config);
  patchHold(d, { troubled: true });
  notShown(d);
  alert(
    d,
    'LEASE_WENT_BACK',
    `the store shows epoch ${epoch} although ${s.persisted.highestEpoch} has been seen; delete lease.json to go on`,
  );
  if (s.hold !== null && s.hold.epoch < s.persisted.highestEpoch) loseHold(d, 'a later epoch is known');
}

function contact(d: Draft): void {
  const { s, e } = d;
  s.witness = 'healthy';
  s.lastContactAt = e.now;
  s.nextStoreAt = e.now + pollEveryMs(s.config);
  clearAlert(d, 'LEASE_CORRUPT', 'LEASE_WENT_BACK', 'WITNESS_UNREACHABLE');
}

/** Keeps the time of the last change; a renewal starts the wait anew. */
function notice(d: Draft, seen: Observed): void {
  const { s } = d;
  const before = s.observed;
  if (before !== null && sameAs(before, seen)) return;
  s.observed = seen;
  if (before?.kind === 'lease' && seen.kind === 'lease' && s.promotion !== null) {
    s.promotion = { ...s.promotion, renewalsSeen: s.promotion.renewalsSeen + 1 };
  }
  withdraw(d, 'claim', 'the lease has changed');
  clearAlert(d, ...s.alerts.filter((code) => code.startsWith('CLAIM_BLOCKED_')));
}

function sameAs(a: Observed, b: Observed): boolean {
  if (a.kind === 'absent' || b.kind === 'absent') return a.kind === b.kind;
  return a.etag === b.etag && a.lease.nonce === b.lease.nonce;
}

/**
 * Giving the lease to the peer. Planned: the peer must have everything, or nothing happens. Sick: one bounded last
 * sync, then the lease goes over with or without it. Until the swap is sent, giving up puts the writes back.
 */
import type { LeaseHistoryEntry, PublishInfo, Reason } from '../../infra/contract/agent-api';
import { blockedBy, recordHistory } from './claim';
import {
  answerOk,
  alert,
  clearAlert,
  countSwitch,
  emit,
  learnEpoch,
  newLease,
  refuse,
  serial,
} from './draft';
import { patchHandover, patchHold, remember } from './draft';
import { loseHold } from './hold';
import type { Draft, Handover, HandoverPhase, StoreOperation, WriteResult } from './model';
import { ABSENT } from './ports';
import { retryAfterMs } from './timing';
import { withdraw, withheld } from './veto';
import { holdsLease, peerPromotable, swapOpen } from './view';

/** A holder whose own service keeps failing while the peer could serve does not keep the traffic. */
export function considerSickHandover(d: Draft): void {
  const { s, e } = d;
  if (e.local.canary !== 'failing' || s.hold === null) {
    clearAlert(d, 'SICK_HOLDER');
    withdraw(d, 'handover', 'the canary passes, or the lease is gone');
    return;
  }
  if (s.handover !== null || !holdsLease(s, e.now)) return;
  const refusal = sickRefusal(d);
  // A restart that helps is cheaper than a switch, and the site bounds it. Whoever may say no has the same time.
  if (e.local.recovering || refusal?.code === 'PROPOSED') return;
  if (refusal !== null) {
    alert(d, 'SICK_HOLDER', `the canary keeps failing; ${refusal.message}`);
    return;
  }
  if (s.hold.troubled || e.now < s.nextHandoverAt) return;
  const reason = 'the canary of the holder keeps failing while the peer could serve';
  s.proposal = null;
  emit(d, 'handover-decided', `handover-sick: ${reason}`);
  begin(d, { cause: 'handover-sick', requestId: null, by: `agent of ${s.config.site}`, reason });
  startSync(d, 'final-sync', s.config.handoverSyncMs);
}

function sickRefusal(d: Draft): Reason | null {
  const { s, e } = d;
  if (s.config.mode === 'manual') {
    const message = '`failover switch` or `failover promote` moves the service';
    return { code: 'MANUAL', message };
  }
  if (!peerPromotable(s, e.now)) {
    return { code: 'PEER_NOT_PROMOTABLE', message: 'the peer cannot take over' };
  }
  const blocked =
    blockedBy(s, e.now) ?? withheld(d, 'handover', `the canary of ${s.config.site} keeps failing`);
  return blocked === null ? null : { code: blocked.code, message: `no hand-over: ${blocked.message}` };
}

export function beginPlanned(d: Draft, id: number, by: string, reason: string): void {
  emit(d, 'handover-decided', `handover-planned by ${by}: ${reason}`);
  begin(d, { cause: 'handover-planned', requestId: id, by, reason });
  startSync(d, 'pre-sync', d.s.config.preSyncMs);
}

function begin(d: Draft, about: Pick<Handover, 'cause' | 'requestId' | 'by' | 'reason'>): void {
  d.s.handover = {
    ...about,
    phase: 'final-sync',
    phaseBegan: d.e.now,
    phaseEnds: d.e.now,
    askId: 0,
    finalBoundMs: d.s.config.handoverSyncMs,
    heldSince: Infinity,
    clean: false,
    swap: null,
  };
}

function enter(d: Draft, phase: HandoverPhase, boundMs: number): number {
  const askId = serial(d);
  patchHandover(d, { phase, askId, phaseBegan: d.e.now, phaseEnds: d.e.now + boundMs });
  emit(d, 'switch-step', phase);
  return askId;
}

function startSync(d: Draft, phase: 'pre-sync' | 'final-sync', boundMs: number): void {
  const id = enter(d, phase, boundMs);
  if (phase === 'final-sync') patchHandover(d, { heldSince: d.e.now });
  d.actions.push({ type: 'sync', id, boundMs });
}

function askPeer(d: Draft, phase: 'peer-check' | 'final-check'): void {
  const id = enter(d, phase, d.s.config.ttlMs);
  d.s.peerAsk = { id, at: d.e.now };
  d.actions.push({ type: 'ask-peer', id });
}

export function syncDone(d: Draft, id: number, publish: PublishInfo | null): void {
  const { handover } = d.s;
  if (handover === null || handover.askId !== id) return;
  if (handover.phase === 'pre-sync') {
    if (publish === null) return abort(d, 'PRE_SYNC_FAILED', 'the peer could not be brought up to date');
    // The last sync is smaller than this one was; twice its time is ample.
    const took = d.e.now - handover.phaseBegan;
    patchHandover(d, { finalBoundMs: Math.max(d.s.config.handoverSyncMs, 2 * took) });
    askPeer(d, 'peer-check');
  } else if (handover.phase === 'final-sync') {
    if (publish === null && handover.cause === 'handover-planned') {
      return abort(d, 'FINAL_SYNC_FAILED', 'the peer did not get the last writes in time');
    }
    patchHandover(d, { clean: publish !== null });
    askPeer(d, 'final-check');
  }
}

/** The peer has answered, or not, whether it can take over. */
export function peerChecked(d: Draft, id: number, reachable: boolean): void {
  const { handover } = d.s;
  if (handover === null || handover.askId !== id) return;
  if (handover.phase !== 'peer-check' && handover.phase !== 'final-check') return;
  if (!reachable || !peerPromotable(d.s, d.e.now)) {
    abort(d, 'PEER_NOT_PROMOTABLE', reachable ? 'the peer cannot take over' : 'the peer cannot be reached');
  } else if (handover.phase === 'peer-check') {
    startSync(d, 'final-sync', handover.finalBoundMs);
  } else {
    enter(d, 'swap', d.s.config.ttlMs + d.s.config.marginMs);
    d.s.nextStoreAt = d.e.now;
  }
}

/** Ends phases whose time is over, and hand-overs whose lease has run out meanwhile. */
export function watchHandover(d: Draft): void {
  const { s, e } = d;
  if (s.handover === null || swapOpen(s)) return;
  if (s.handover.cause === 'handover-sick' && e.now < s.vetoUntil) {
    return abort(d, 'VETOED', 'somebody has vetoed it');
  }
  if (!holdsLease(s, e.now)) return abort(d, 'LEASE_LAPSED', 'this site could not renew the lease');
  if (e.now < s.handover.phaseEnds) return;
  if (s.handover.phase === 'swap') return abort(d, 'STORE_UNREACHABLE', 'the witness cannot be reached');
  if (s.handover.phase === 'pre-sync' || s.handover.phase === 'final-sync') {
    syncDone(d, s.handover.askId, null);
  } else {
    peerChecked(d, s.handover.askId, false);
  }
}

function abort(d: Draft, code: string, message: string): void {
  const { handover } = d.s;
  if (handover === null) return;
  d.s.handover = null;
  d.s.nextHandoverAt = d.e.now + d.s.config.ttlMs;
  emit(d, 'switch-step', `aborted, writes go on here: ${code}: ${message}`);
  if (handover.requestId !== null) {
    refuse(d, handover.requestId, code, `${message}; this site goes on as before`);
  }
}

/** Sends the compare-and-swap once the store is free and the ETag is known. Answers whether it did. */
export function sendSwap(d: Draft): boolean {
  const { hold, handover, config } = d.s;
  if (hold === null || handover === null || hold.etag === null || hold.etag === ABSENT) return false;
  if (handover.phase !== 'swap' || hold.provenEtag !== hold.etag || !holdsLease(d.s, d.e.now)) return false;
  if (d.e.now < handover.heldSince + config.marginMs) return false;
  const lease = newLease(d, hold.epoch + 1, config.peer);
  const entry: LeaseHistoryEntry = {
    epoch: lease.epoch,
    holder: config.peer,
    previousHolder: config.site,
    at: d.e.wall,
    cause: handover.cause,
    by: handover.by,
    reason: handover.reason,
    dataAgeSeconds: handover.clean ? 0 : null,
    acceptedDataLoss: null,
  };
  const op = serial(d);
  enter(d, 'swap-sent', Infinity);
  patchHandover(d, { swap: { lease, ifMatch: hold.etag, entry } });
  d.s.promiseAsk = null;
  d.s.operation = { id: op, purpose: 'handover', sentAt: d.e.now, nonce: lease.nonce };
  d.actions.push({ type: 'write', op, lease, ifMatch: hold.etag });
  return true;
}

export function swapDone(d: Draft, op: StoreOperation, result: WriteResult): void {
  const { handover } = d.s;
  if (handover?.phase !== 'swap-sent') return;
  switch (result.kind) {
    case 'written':
    case 'conflict':
      // A repeated delivery of the same swap conflicts with the first one, and a store may forget what it has
      // acknowledged: only reading tells whether it happened.
      patchHandover(d, { phase: 'swap-unknown' });
      patchHold(d, { etag: null });
      d.s.nextStoreAt = d.e.now;
      return;
    case 'unknown':
      patchHandover(d, { phase: 'swap-unknown' });
      patchHold(d, { etag: null, troubled: true });
      d.s.nextStoreAt = d.e.now + retryAfterMs(d.s.config);
      return;
  }
}

/** A fresh reading while the swap is open. Answers true when that settles what the reading means. */
export function judgeOpenSwap(d: Draft): boolean {
  const { handover, hold, observed } = d.s;
  if (handover === null || handover.swap === null || hold === null || !swapOpen(d.s)) return false;
  if (observed?.kind !== 'lease') {
    // It may have happened before the object was removed.
    loseHold(d, 'the lease object went missing while it was being handed over');
    return true;
  }
  const { lease, etag } = observed;
  if (lease.epoch > hold.epoch) {
    // Ours, or renewed by the peer since: either way no write was acknowledged after the last sync.
    if (lease.holder === d.s.config.peer && lease.epoch === hold.epoch + 1) {
      landed(d);
      return true;
    }
    return false;
  }
  if (etag === handover.swap.ifMatch) {
    const again = handover.phase === 'voiding'; // what should have voided it is not shown: the store is slow to, or forgot
    patchHandover(d, { phase: 'voiding' });
    patchHold(d, { etag, unproven: null });
    d.s.nextStoreAt = d.e.now + (again ? retryAfterMs(d.s.config) : 0);
    return true;
  }
  if (!hold.ownWrites.some((write) => write.nonce === lease.nonce)) {
    // Older than what the swap was conditional on: it says nothing.
    patchHandover(d, { phase: 'swap-unknown' });
    d.s.nextStoreAt = d.e.now + retryAfterMs(d.s.config);
    return true;
  }
  // A renewal on the ETag that the swap was conditional on: the swap can never happen now.
  abort(d, 'STORE_UNREACHABLE', 'the witness did not answer in time and the hand-over was withdrawn');
  return false;
}

function landed(d: Draft): void {
  const { handover, hold } = d.s;
  if (handover === null || handover.swap === null || hold === null) return;
  const { lease, entry } = handover.swap;
  if (handover.clean) remember(d, { cleanHandoverEpoch: hold.epoch });
  learnEpoch(d, lease.epoch);
  recordHistory(d, entry);
  countSwitch(d, entry.cause === 'handover-sick');
  emit(d, 'handed-over', `epoch ${lease.epoch} to ${lease.holder}${handover.clean ? ', nothing lost' : ''}`);
  if (handover.requestId !== null) answerOk(d, handover.requestId, lease.epoch, lease.holder);
  d.s.hold = null;
  d.s.handover = null;
  d.s.observed = null;
  d.s.nextStoreAt = d.e.now;
  d.actions.push({ type: 'wake-peer' });
}

/** Keeping the lease: taking it up, renewing, going on by the peer's promise, and losing it. */
import type { Lease } from '../../infra/contract/agent-api';
import {
  answerOk,
  clearAlert,
  emit,
  learnEpoch,
  newLease,
  patchHold,
  refuse,
  remember,
  serial,
} from './draft';
import { takingEpoch } from './lineage';
import type { Draft, StoreOperation, WriteResult } from './model';
import { ABSENT } from './ports';
import { holderDeadline, renewEveryMs, retryAfterMs } from './timing';
import { holdsLease, peerPromotable, swapOpen } from './view';

/** Takes up a lease that this site did not hold before; writable once its memory is on disk and a write is confirmed. */
export function takeUp(d: Draft, lease: Lease, etag: string, writtenAt: number | null): void {
  learnEpoch(d, lease.epoch);
  const needsSeq = remember(d, takingEpoch(d.s.persisted, lease.epoch));
  d.s.claim = null;
  startHold(d, lease.epoch, etag, writtenAt, needsSeq);
  if (d.s.promotion !== null) {
    answerOk(d, d.s.promotion.id, lease.epoch, d.s.config.site);
    d.s.promotion = null;
  }
}

/** Goes on with a lease that the store still says is this site's, for example after a restart. */
export function resume(d: Draft, lease: Lease, etag: string): void {
  startHold(d, lease.epoch, etag, null, d.s.requestedSeq);
}

function startHold(d: Draft, epoch: number, etag: string, writtenAt: number | null, needsSeq: number): void {
  d.s.hold = {
    epoch,
    etag,
    provenEtag: writtenAt === null ? null : etag,
    confirmed: writtenAt !== null,
    leaseDeadline: writtenAt === null ? -Infinity : holderDeadline(d.s.config, writtenAt),
    promiseDeadline: -Infinity,
    needsSeq,
    unproven: null,
    ownWrites: [],
    troubled: false,
    lapseTold: true,
  };
  d.s.handover = null;
  d.s.peerSeenAt = null;
  d.s.nextPeerAt = d.e.now;
  d.s.nextStoreAt = writtenAt === null ? d.e.now : writtenAt + renewEveryMs(d.s.config);
}

export function loseHold(d: Draft, why: string): void {
  const { hold, handover } = d.s;
  if (hold === null) return;
  emit(d, 'fenced', `epoch ${hold.epoch} is over: ${why}`);
  d.s.hold = null;
  if (handover?.requestId != null) refuse(d, handover.requestId, 'LEASE_LOST', why);
  d.s.handover = null;
  d.s.promiseAsk = null;
  d.s.nextStoreAt = d.e.now;
}

export function sendRenewal(d: Draft, ifMatch: string): void {
  const { hold, config } = d.s;
  if (hold === null) return;
  const lease = newLease(d, hold.epoch, config.site);
  const op = serial(d);
  d.s.operation = { id: op, purpose: 'renew', sentAt: d.e.now, nonce: lease.nonce };
  patchHold(d, {
    ownWrites: [...hold.ownWrites, { nonce: lease.nonce, sentAt: d.e.now }].slice(-8),
  });
  d.actions.push({ type: 'write', op, lease, ifMatch });
}

export function renewalDone(d: Draft, op: StoreOperation, result: WriteResult): void {
  const { config } = d.s;
  if (d.s.hold === null) return;
  switch (result.kind) {
    case 'written':
      toldOfWrite(d, op, result.etag);
      return;
    case 'conflict':
      patchHold(d, { etag: null, unproven: null });
      d.s.nextStoreAt = d.e.now;
      return;
    case 'unknown':
      patchHold(d, { etag: null, unproven: null, troubled: true });
      d.s.nextStoreAt = d.e.now + retryAfterMs(config);
      return;
  }
}

/**
 * The store says that it has a write of ours. That is believed once a reading shows it, or a later write that was
 * conditional on it succeeds: which this one has just done for the one before.
 */
export function toldOfWrite(d: Draft, op: StoreOperation, etag: string): void {
  const { unproven } = d.s.hold ?? {};
  if (unproven != null) confirmHold(d, unproven.etag, unproven.sentAt);
  patchHold(d, {
    etag,
    unproven: { etag, sentAt: op.sentAt, looked: false },
    ownWrites: [{ nonce: op.nonce ?? '', sentAt: op.sentAt }],
  });
  d.s.nextStoreAt = d.e.now;
}

/** A write of ours is in the store: the hold reaches on from the moment before it was sent. */
export function confirmHold(d: Draft, etag: string, sentAt: number): void {
  const { hold, config } = d.s;
  if (hold === null) return;
  patchHold(d, {
    etag,
    provenEtag: etag,
    confirmed: true,
    leaseDeadline: Math.max(hold.leaseDeadline, holderDeadline(config, sentAt)),
    unproven: null,
    ownWrites: [],
    troubled: false,
  });
  d.s.nextStoreAt = Math.max(d.e.now, sentAt + renewEveryMs(config));
  clearAlert(d, 'LEASE_CORRUPT', 'LEASE_MISSING', 'LEASE_NOT_OURS', 'FAILSAFE');
}

/**
 * What a fresh reading says to a holder. Answers false when the reading was about something else and the caller
 * should go on looking at it.
 */
export function holderReads(d: Draft, lease: Lease, etag: string): void {
  const { hold, config } = d.s;
  if (hold === null) return;
  if (lease.epoch !== hold.epoch || lease.holder !== config.site) {
    loseHold(d, `the lease is ${lease.holder}'s now, with epoch ${lease.epoch}`);
    return;
  }
  const own = hold.ownWrites.find((write) => write.nonce === lease.nonce);
  if (own !== undefined) {
    confirmHold(d, etag, own.sentAt);
    return;
  }
  if (hold.unproven?.looked === false) {
    notShown(d);
    return;
  }
  patchHold(d, { etag, unproven: null, troubled: false });
  d.s.nextStoreAt = d.e.now;
}

/** A reading is old, or the store has forgotten what it acknowledged: a write conditional on that will tell which. */
export function notShown(d: Draft): void {
  const { hold } = d.s;
  if (hold?.unproven == null) return;
  patchHold(d, { unproven: { ...hold.unproven, looked: true }, troubled: true });
  d.s.nextStoreAt = d.e.now + retryAfterMs(d.s.config);
}

/** The lease object is gone. Only a holder that is still within its time may write it again. */
export function holderMissesLease(d: Draft): void {
  if (d.s.hold === null) return;
  if (holdsLease(d.s, d.e.now)) {
    patchHold(d, { etag: ABSENT });
    d.s.nextStoreAt = d.e.now;
  } else {
    loseHold(d, 'the lease object is missing from the store');
  }
}

/** Asks for the peer's promise while the witness cannot be had. */
export function askPromise(d: Draft): void {
  const { hold, config } = d.s;
  if (hold === null || !hold.troubled || !hold.confirmed || swapOpen(d.s)) return;
  if (d.s.promiseAsk !== null || d.e.now < d.s.nextPromiseAt) return;
  if (sickWhilePeerCould(d)) return;
  const id = serial(d);
  d.s.promiseAsk = { id, sentAt: d.e.now, epoch: hold.epoch };
  d.s.nextPromiseAt = d.e.now + config.ttlMs / 6;
  d.actions.push({ type: 'ask-promise', id, epoch: hold.epoch });
}

/** A sick holder that cannot hand over does the next best thing: it lets the lease run out for the peer to take. */
function sickWhilePeerCould(d: Draft): boolean {
  return (
    d.s.config.mode === 'automatic' &&
    d.e.local.canary === 'failing' &&
    !d.e.local.recovering &&
    peerPromotable(d.s, d.e.now) &&
    d.s.peer?.witness === 'healthy'
  );
}

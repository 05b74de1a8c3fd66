/** What people and the peer ask of this site. */
import type {
  PromiseRequest,
  PromiseResponse,
  PromoteRequest,
  SwitchRequest,
} from '../../infra/contract/agent-api';
import { answerOk, emit, learnEpoch, patchHold, refuse, remember } from './draft';
import { promotionRefusal } from './claim';
import { beginPlanned, peerChecked } from './handover';
import { loseHold } from './hold';
import { lineageReason } from './lineage';
import type { Draft, LeaseState, PeerStatus } from './model';
import { expiresAt, holderDeadline, observerWaitMs, pollEveryMs } from './timing';
import { holdsLease, swapOpen } from './view';

/** "I have not claimed and will not within one TTL": everything that could make it untrue refuses it. */
export function promiseAsked(d: Draft, id: number, request: PromiseRequest): void {
  const { s, e } = d;
  const { persisted, observed } = s;
  const mine = observed?.kind === 'lease' && observed.lease.holder === s.config.site;
  const granted =
    request.from === s.config.peer &&
    request.epoch >= persisted.highestEpoch &&
    persisted.pendingClaim === null &&
    s.promotion === null &&
    s.hold === null &&
    !mine;
  if (granted) {
    learnEpoch(d, request.epoch);
    const ttlSeconds = observed?.kind === 'lease' ? observed.lease.ttlSeconds : null;
    s.grantedUntil = Math.max(s.grantedUntil, e.now + observerWaitMs(s.config, ttlSeconds));
  }
  d.actions.push({ type: 'promise-answer', id, answer: { granted, epoch: s.persisted.highestEpoch } });
}

export function promiseAnswered(d: Draft, id: number, answer: PromiseResponse | null): void {
  const ask = d.s.promiseAsk;
  if (ask === null || ask.id !== id) return;
  d.s.promiseAsk = null;
  const { hold } = d.s;
  if (answer === null || hold === null || hold.epoch !== ask.epoch) return;
  if (answer.epoch > hold.epoch) {
    learnEpoch(d, answer.epoch);
    loseHold(d, `the peer knows of epoch ${answer.epoch}`);
    return;
  }
  if (!answer.granted || !hold.confirmed || swapOpen(d.s)) return;
  patchHold(d, {
    promiseDeadline: Math.max(hold.promiseDeadline, holderDeadline(d.s.config, ask.sentAt)),
  });
}

export function peerStatus(d: Draft, id: number, status: PeerStatus | null): void {
  const { s, e } = d;
  if (s.peerAsk?.id !== id) return;
  const askedAt = s.peerAsk.at;
  s.peerAsk = null;
  if (status !== null) {
    s.peer = status;
    s.peerSeenAt = askedAt;
    const epoch = status.lease?.epoch ?? 0;
    if (epoch > s.persisted.highestEpoch) {
      learnEpoch(d, epoch);
      if (s.hold !== null) loseHold(d, `the peer knows of epoch ${epoch}`);
      s.nextStoreAt = e.now;
    }
  }
  peerChecked(d, id, status !== null);
}

export function promoteAsked(d: Draft, id: number, request: PromoteRequest): void {
  const { s, e } = d;
  if (holdsLease(s, e.now) && s.handover === null && s.hold !== null) {
    answerOk(d, id, s.hold.epoch, s.config.site);
    return;
  }
  if (s.hold !== null) {
    refuse(
      d,
      id,
      'ALREADY_HOLDER',
      'the lease is this site already; it becomes active once the witness answers',
    );
    return;
  }
  if (s.promotion !== null) {
    refuse(d, id, 'BUSY', 'another promotion of this site is going on');
    return;
  }
  const refusal = promotionRefusal(d, request);
  if (refusal !== null) {
    refuse(d, id, refusal.code, refusal.message);
    return;
  }
  const free = Math.max(e.now, s.grantedUntil, Number.isFinite(expiresAt(s)) ? expiresAt(s) : 0);
  const giveUpAt = free + 2 * observerWaitMs(s.config, null) + 4 * pollEveryMs(s.config);
  s.promotion = { id, request, giveUpAt, renewalsSeen: 0 };
  s.nextStoreAt = e.now;
  emit(d, 'switch-step', `promotion asked for by ${request.by}: ${request.reason}`);
}

export function switchAsked(d: Draft, id: number, request: SwitchRequest): void {
  const { s, e } = d;
  if (!holdsLease(s, e.now)) {
    refuse(d, id, 'NOT_HOLDER', 'a planned switch starts at the site that is active; this one is not');
    return;
  }
  if (s.handover !== null) {
    refuse(d, id, 'BUSY', `a ${s.handover.cause} is going on`);
    return;
  }
  beginPlanned(d, id, request.by, request.reason);
}

/** A site that could take over at this moment has nothing to be re-protected: the peer may just be handing it the lease. */
export function beginReprotect(d: Draft): void {
  if (lineageReason(d.s.persisted) === null && d.e.local.promotable.promotable) return;
  if (reprotectRefusal(d.s) === null) remember(d, { reprotecting: true });
}

/** A site whose data are the service's, or may become so any moment, must not have them overwritten. */
export function reprotectRefusal(s: LeaseState): string | null {
  if (s.hold !== null || s.persisted.pendingClaim !== null) {
    return 'this site holds the lease or has claimed it: its data are the ones that count';
  }
  if (s.promotion !== null) return 'this site is being promoted';
  const shown = s.observed;
  if (shown?.kind !== 'lease')
    return 'no lease has been seen yet, so that there is no holder to take data from';
  return shown.lease.holder === s.config.site
    ? 'the lease names this site: its data are the ones that count'
    : null;
}

export function markReprotected(d: Draft, epoch: number): void {
  const { persisted } = d.s;
  if (!persisted.reprotecting || epoch <= (persisted.lastHeldEpoch ?? 0)) return;
  remember(d, { reprotecting: false, reprotectedEpoch: epoch });
}

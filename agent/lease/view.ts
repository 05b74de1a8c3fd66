/** Questions about a state that change nothing. `now` is always asked anew: a paused process must not trust its past. */
import type { SiteState } from '../../infra/contract/agent-api';
import { lineageReason } from './lineage';
import type { LeaseState } from './model';
import { peerStaleMs } from './timing';

/** Until when this site holds the lease for sure; -Infinity when it does not. */
export function holdDeadline(s: LeaseState): number {
  const { hold } = s;
  if (hold === null || s.durableSeq < hold.needsSeq || s.persisted.highestEpoch > hold.epoch)
    return -Infinity;
  if (swapOpen(s)) return -Infinity;
  return Math.max(hold.leaseDeadline, hold.promiseDeadline);
}

export const holdsLease = (s: LeaseState, now: number): boolean => now < holdDeadline(s);

/** A hand-over has been sent to the store and could happen: from here on the peer may be the holder. */
export function swapOpen(s: LeaseState): boolean {
  const phase = s.handover?.phase;
  return phase === 'swap-sent' || phase === 'swap-unknown' || phase === 'voiding';
}

export function writesHeld(s: LeaseState): boolean {
  const phase = s.handover?.phase;
  return phase !== undefined && phase !== 'pre-sync' && phase !== 'peer-check';
}

export const isWritable = (s: LeaseState, now: number): boolean => !writesHeld(s) && holdsLease(s, now);

export function peerFresh(s: LeaseState, now: number): boolean {
  return s.peer !== null && s.peerSeenAt !== null && now - s.peerSeenAt <= peerStaleMs(s.config);
}

/** The peer could take over, as far as this site knows. */
export function peerPromotable(s: LeaseState, now: number): boolean {
  return peerFresh(s, now) && s.peer?.promotable === true && s.peer.state === 'standby';
}

export function siteState(s: LeaseState, now: number): SiteState {
  if (holdsLease(s, now) || (swapOpen(s) && s.hold !== null && now < s.hold.leaseDeadline)) {
    return peerPromotable(s, now) ? 'active' : 'unprotected';
  }
  if (s.persisted.reprotecting) return 're-protecting';
  if (s.observed === null) return 'unknown';
  if (s.hold !== null || lineageReason(s.persisted) !== null) return 'fenced';
  const sawWitness = s.lastContactAt !== null && now - s.lastContactAt <= 2 * s.config.ttlMs;
  return sawWitness || peerFresh(s, now) ? 'standby' : 'unknown';
}

/** What a site's past says about its data. */
import type { Reason } from '../../infra/contract/agent-api';
import type { PersistedState } from './ports';

/**
 * Why this site's data must not become the service's data again by itself, or null when nothing speaks against it.
 *
 * A site that held an epoch may have acknowledged writes that nobody else has. Only two things clear it: a hand-over
 * after which the peer had all of them, or having been overwritten with the data of a later holder.
 */
export function lineageReason(p: PersistedState): Reason | null {
  if (p.reprotecting) {
    return {
      code: 'REPROTECTING',
      message: "this site's data are being replaced by the holder's and are not whole yet",
    };
  }
  if (p.lastHeldEpoch === null || p.cleanHandoverEpoch === p.lastHeldEpoch) return null;
  if (p.reprotectedEpoch !== null && p.reprotectedEpoch > p.lastHeldEpoch) return null;
  return {
    code: 'FENCED',
    message:
      `this site held epoch ${p.lastHeldEpoch} and did not hand it over cleanly; ` +
      'it may have writes that the holder lacks. Re-protect it (`failover failback` does) before it can take over',
  };
}

/** The memory of a site that is about to hold `epoch`. */
export function takingEpoch(p: PersistedState, epoch: number): PersistedState {
  return {
    ...p,
    highestEpoch: Math.max(p.highestEpoch, epoch),
    lastHeldEpoch: epoch,
    cleanHandoverEpoch: null,
    reprotectedEpoch: null,
    reprotecting: false,
    pendingClaim: null,
  };
}

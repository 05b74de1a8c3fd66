/** Which publish may overwrite this site's data. The worst failure of all is the sync that overwrites the good side. */
import type { Reason, SiteState } from '../../../infra/contract/agent-api';
import type { LatestPointer } from './store';

export interface ApplyFacts {
  readonly self: string;
  readonly heldEpoch: number | null;
  readonly lease: { readonly epoch: number; readonly holder: string } | null;
  readonly state: SiteState;
  readonly claimPending: boolean;
  /** An operator asked for this site to be re-protected. */
  readonly reprotect: boolean;
}

/** Null when this site may take the holder's data at all. */
export function mayApply(facts: ApplyFacts): Reason | null {
  const { self, lease } = facts;
  if (facts.heldEpoch !== null || lease?.holder === self) {
    return {
      code: 'IS_HOLDER',
      message: `${self} holds the lease: its data is the service's and is never overwritten.`,
    };
  }
  if (facts.claimPending) {
    return {
      code: 'CLAIM_PENDING',
      message: `${self} is claiming the lease: its data may be the service's in a moment.`,
    };
  }
  if (lease === null) {
    return {
      code: 'LEASE_UNKNOWN',
      message: `${self} has not seen the lease yet and cannot tell whose data is right.`,
    };
  }
  if ((facts.state === 'fenced' || facts.state === 're-protecting') && !facts.reprotect) {
    return {
      code: 'FENCED',
      message: `${self} held the lease once and may have writes of its own. \`failover failback\` sets them aside and re-protects it.`,
    };
  }
  return null;
}

/** Null when this publish is the current holder's, of its current epoch. */
export function mayApplyPublish(facts: ApplyFacts, pointer: LatestPointer): Reason | null {
  const refusal = mayApply(facts);
  if (refusal !== null) return refusal;
  const { self, lease } = facts;
  if (pointer.site === self) {
    return { code: 'OWN_PUBLISH', message: `The latest publish ${pointer.publishId} is ${self}'s own.` };
  }
  if (pointer.site !== lease?.holder) {
    return {
      code: 'NOT_FROM_HOLDER',
      message: `The latest publish ${pointer.publishId} is ${pointer.site}'s, the lease is ${lease?.holder}'s: waiting for its publish.`,
    };
  }
  if (pointer.epoch !== lease.epoch) {
    return {
      code: 'OTHER_EPOCH',
      message: `The latest publish ${pointer.publishId} is of epoch ${pointer.epoch}, the lease is at ${lease.epoch}: waiting for a new one.`,
    };
  }
  return null;
}

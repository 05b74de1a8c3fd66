/**
 * What the local HAProxy may serve from this site's own engines; anything else it passes to the peer.
 *
 * "Unknown" counts as up here: a probe that has not ended yet is no reason to send the holder's clients elsewhere, and
 * the engine's own refusal is seen by HAProxy at once.
 */
import type { Health, SiteState } from '../../infra/contract/agent-api';

export interface EdgeFacts {
  readonly state: SiteState;
  /** Holds the lease, whether or not writes are held at this moment. */
  readonly holds: boolean;
  readonly inference: Health;
  readonly vectors: Health;
  readonly peer: Health;
}

export interface EdgeVerdict {
  readonly serve: boolean;
  readonly why: string;
}

export function mayServeInference(facts: EdgeFacts): EdgeVerdict {
  if (facts.inference === 'failing') return { serve: false, why: 'the engine here is failing' };
  if (facts.holds) return { serve: true, why: 'this site holds the lease' };
  // A model gives the same answer anywhere: while the peer is gone and nobody has taken over, it is better than none.
  if (facts.state === 'standby' && facts.peer === 'failing' && facts.inference === 'healthy') {
    return { serve: true, why: 'the active site does not answer' };
  }
  return { serve: false, why: 'another site is active' };
}

/** Data is read from the holder alone: elsewhere it is older, and a reader must not see time go back. */
export function mayServeVectors(facts: EdgeFacts): EdgeVerdict {
  if (!facts.holds) return { serve: false, why: 'this site does not hold the lease' };
  if (facts.vectors === 'failing') return { serve: false, why: 'Qdrant here is failing' };
  return { serve: true, why: 'this site holds the lease' };
}

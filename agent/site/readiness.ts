/** May this site take traffic, and could it take over? Every reason is told, not only the first. */
import {
  CANARY_PARTS,
  type CanaryPart,
  type Health,
  type Reason,
  type SiteState,
} from '../../infra/contract/agent-api';
import type { CanaryView } from './canary/canary';

export type CanaryFacts = Readonly<Record<CanaryPart, Pick<CanaryView, 'health' | 'detail'>>>;

export interface ReadyFacts {
  readonly site: string;
  readonly writable: boolean;
  readonly holder: string | null;
  readonly canary: CanaryFacts;
}

export function notReadyReasons(facts: ReadyFacts): Reason[] {
  const reasons: Reason[] = [];
  if (!facts.writable) {
    reasons.push(
      facts.holder === facts.site
        ? {
            code: 'NOT_WRITABLE',
            message: `${facts.site} is named by the lease and may not write at this moment.`,
          }
        : {
            code: 'NOT_HOLDER',
            message: `${facts.site} does not hold the lease; ${facts.holder ?? 'no known site'} does.`,
          },
    );
  }
  return [...reasons, ...canaryReasons(facts.canary)];
}

export interface Parity {
  readonly configHash: string;
  readonly modelSha256: string;
  /** The version before, while sites change over. */
  readonly replacesModelSha256?: string | undefined;
  readonly qdrantVersion: string;
}

export interface PromotableFacts {
  readonly site: string;
  readonly state: SiteState;
  readonly witness: Health;
  readonly canary: CanaryFacts;
  readonly parity: Parity;
  /** The peer's newest known; null when it was never seen. */
  readonly peerParity: Parity | null;
  /** Version of the Qdrant that runs here; null when it does not answer. */
  readonly runningQdrant: string | null;
  readonly applied: { readonly id: string } | null;
  readonly applying: { readonly id: string } | null;
  /** The publish that is here was compared point by point, and this is what was found to be different. */
  readonly differences: readonly string[];
  readonly touching: boolean;
  readonly dataAgeSeconds: number | null;
  readonly rpoSeconds: number;
}

export function notPromotableReasons(facts: PromotableFacts): Reason[] {
  const reasons: Reason[] = [];
  const say = (code: string, message: string): void => void reasons.push({ code, message });
  if (facts.state === 'active' || facts.state === 'unprotected') {
    say('ALREADY_HOLDER', `${facts.site} holds the lease already.`);
    return reasons;
  }
  if (facts.state === 'fenced')
    say('FENCED', `${facts.site} held the lease and may have writes of its own; fail back to it first.`);
  if (facts.state === 're-protecting')
    say('REPROTECTING', `${facts.site} is being overwritten with the holder's data.`);
  if (facts.state === 'unknown') say('STATE_UNKNOWN', `${facts.site} sees neither the lease nor its peer.`);
  if (facts.witness !== 'healthy')
    say('WITNESS_UNREACHABLE', 'The witness does not answer, so the lease cannot be claimed.');
  reasons.push(...dataReasons(facts), ...parityReasons(facts), ...canaryReasons(facts.canary));
  return reasons;
}

function dataReasons(facts: PromotableFacts): Reason[] {
  const { applied, applying, touching, dataAgeSeconds, rpoSeconds } = facts;
  if (touching)
    return [
      {
        code: 'APPLYING',
        message: `${applying?.id ?? 'A publish'} is being put into Qdrant at this moment.`,
      },
    ];
  if (applying !== null) {
    return [
      {
        code: 'RESTORE_UNVERIFIED',
        message: `Putting ${applying.id} into Qdrant was cut short or failed; the data here is not verified. Apply again.`,
      },
    ];
  }
  if (applied === null) {
    return [
      {
        code: 'NO_VERIFIED_RESTORE',
        message: 'No publish of the holder has been applied and verified here.',
      },
    ];
  }
  if (facts.differences.length > 0) {
    return [
      {
        code: 'DATA_DIFFERS',
        message: `${applied.id} was restored and is not what was published: ${facts.differences.join('; ')}. The next publish replaces it.`,
      },
    ];
  }
  if (dataAgeSeconds === null) {
    return [
      {
        code: 'DATA_AGE_UNKNOWN',
        message: `The age of ${applied.id} is unknown until the store can tell it.`,
      },
    ];
  }
  if (dataAgeSeconds > rpoSeconds) {
    const age = Math.round(dataAgeSeconds);
    return [
      {
        code: 'DATA_TOO_OLD',
        message: `The data here is ${age} s old, more than the RPO of ${rpoSeconds} s.`,
      },
    ];
  }
  return [];
}

function parityReasons(facts: PromotableFacts): Reason[] {
  const { parity, peerParity, runningQdrant } = facts;
  const reasons: Reason[] = [];
  const differ = (code: string, what: string, here: string, there: string): void => {
    if (here !== there)
      reasons.push({
        code,
        message: `${what} is ${here} here and ${there} at the peer. Bring both up to one.`,
      });
  };
  if (peerParity === null) {
    reasons.push({
      code: 'PEER_PARITY_UNKNOWN',
      message: "The peer's configuration, model and Qdrant version were never seen.",
    });
  } else {
    differ('CONFIG_MISMATCH', 'The configuration hash', parity.configHash, peerParity.configHash);
    if (!changingOver(parity, peerParity))
      differ('MODEL_MISMATCH', 'The model', parity.modelSha256, peerParity.modelSha256);
    differ('QDRANT_MISMATCH', "Qdrant's version", parity.qdrantVersion, peerParity.qdrantVersion);
  }
  if (runningQdrant !== null && runningQdrant !== parity.qdrantVersion) {
    reasons.push({
      code: 'QDRANT_NOT_AS_CONFIGURED',
      message: `Qdrant ${parity.qdrantVersion} is configured and ${runningQdrant} runs. Restart it with the configured one.`,
    });
  }
  return reasons;
}

/** One site serves a version that the other's is configured to replace: the service goes on with either. */
function changingOver(one: Parity, other: Parity): boolean {
  return one.replacesModelSha256 === other.modelSha256 || other.replacesModelSha256 === one.modelSha256;
}

function canaryReasons(canary: CanaryFacts): Reason[] {
  const reasons: Reason[] = [];
  for (const part of CANARY_PARTS) {
    const { health, detail } = canary[part];
    if (health !== 'healthy')
      reasons.push({ code: `${part.toUpperCase()}_${health.toUpperCase()}`, message: detail });
  }
  return reasons;
}

/**
 * The vocabulary of the decision core: its state, what may happen to it, and what it may ask for.
 *
 * All times are milliseconds of the local monotonic clock and come in with the events. A reading of one machine's
 * clock is never compared with another's.
 */
import type {
  AgentEvent,
  Health,
  Lease,
  LeaseHistoryEntry,
  PromiseRequest,
  PromiseResponse,
  PromoteRequest,
  PublishInfo,
  Reason,
  SiteState,
  StatusResponse,
  SwitchRequest,
  SwitchResponse,
  VetoRequest,
} from '../../infra/contract/agent-api';
import type { SwitchingMode } from '../../infra/contract/site-spec';
import type { LocalView, PersistedState } from './ports';

export interface LeaseConfig {
  readonly site: string;
  readonly peer: string;
  readonly initialHolder: boolean;
  readonly ttlMs: number;
  readonly marginMs: number;
  /** Bound on the relative rate of two monotonic clocks, as a fraction. */
  readonly drift: number;
  readonly mode: SwitchingMode;
  /** In mode veto: how long a proposed switch waits for somebody to say no. */
  readonly graceMs: number;
  readonly cooldownMs: number;
  readonly maxSwitchesPerHour: number;
  /** Bound on the last sync of a sick holder. */
  readonly handoverSyncMs: number;
  /** Bound on the first sync of a planned switch, during which writes go on. */
  readonly preSyncMs: number;
}

/** What the site says about itself at the moment of an event. */
export interface LocalFacts {
  readonly promotable: ReturnType<LocalView['promotable']>;
  readonly canary: Health;
  /** The failing canary may yet recover: its engine has just been restarted. */
  readonly recovering: boolean;
  readonly dataAgeSeconds: number | null;
}

export type ReadResult =
  | { readonly kind: 'lease'; readonly lease: Lease; readonly etag: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreachable' | 'corrupt'; readonly detail: string };

export type WriteResult =
  | { readonly kind: 'written'; readonly etag: string }
  | { readonly kind: 'conflict' }
  /** No answer: the write may have happened, or may yet happen. */
  | { readonly kind: 'unknown'; readonly detail: string };

export type Happening =
  | { readonly type: 'tick' | 'wake' | 'begin-reprotect' }
  | { readonly type: 'read-done'; readonly op: number; readonly result: ReadResult }
  | { readonly type: 'write-done'; readonly op: number; readonly result: WriteResult }
  | { readonly type: 'persist-done'; readonly seq: number; readonly ok: boolean }
  | { readonly type: 'promise-asked'; readonly id: number; readonly request: PromiseRequest }
  | { readonly type: 'promise-answered'; readonly id: number; readonly answer: PromiseResponse | null }
  | { readonly type: 'peer-status'; readonly id: number; readonly status: PeerStatus | null }
  | { readonly type: 'sync-done'; readonly id: number; readonly publish: PublishInfo | null }
  | { readonly type: 'history-read'; readonly id: number; readonly switches: readonly PastSwitch[] | null }
  | { readonly type: 'history-written'; readonly id: number; readonly ok: boolean }
  | { readonly type: 'promote'; readonly id: number; readonly request: PromoteRequest }
  | { readonly type: 'switch'; readonly id: number; readonly request: SwitchRequest }
  | { readonly type: 'mark-reprotected'; readonly epoch: number }
  | { readonly type: 'veto'; readonly request: VetoRequest };

/** `wall` is for records and people, never compared. */
export type LeaseEvent = Happening & {
  readonly now: number;
  readonly wall: string;
  readonly local: LocalFacts;
};

export type PeerStatus = Pick<StatusResponse, 'state' | 'lease' | 'witness'> & {
  readonly promotable: boolean;
};
export interface PastSwitch {
  readonly ageMs: number;
  readonly automatic: boolean;
}

export type Action =
  | { readonly type: 'read'; readonly op: number }
  | { readonly type: 'write'; readonly op: number; readonly lease: Lease; readonly ifMatch: string }
  | { readonly type: 'persist'; readonly seq: number; readonly value: PersistedState }
  | { readonly type: 'ask-promise'; readonly id: number; readonly epoch: number }
  | { readonly type: 'promise-answer'; readonly id: number; readonly answer: PromiseResponse }
  | { readonly type: 'ask-peer'; readonly id: number }
  | { readonly type: 'wake-peer' }
  | { readonly type: 'sync'; readonly id: number; readonly boundMs: number }
  | { readonly type: 'read-history'; readonly id: number }
  | { readonly type: 'append-history'; readonly id: number; readonly entry: LeaseHistoryEntry }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly result: SwitchResponse | { readonly refused: Reason };
    }
  | {
      readonly type: 'emit';
      readonly kind: AgentEvent['kind'];
      readonly detail: string;
      readonly epoch: number | null;
    };

/** What the store last showed, and since when, by this site's clock, it has shown just that. */
export type Observed =
  | {
      readonly kind: 'lease';
      readonly lease: Lease;
      readonly etag: string;
      readonly changedAt: number;
      readonly expiryTold: boolean;
    }
  | { readonly kind: 'absent'; readonly changedAt: number };

/** The store says that this site holds the lease, or did when it last answered. */
export interface Hold {
  readonly epoch: number;
  /** ETag to renew on; null when a write of unknown outcome makes reading necessary. */
  readonly etag: string | null;
  /** ETag of the last write of this process that is known to have been in the store; a hand-over is conditional on it. */
  readonly provenEtag: string | null;
  /** A write of this process has succeeded under this hold, so no older write can take it away any more. */
  readonly confirmed: boolean;
  readonly leaseDeadline: number;
  readonly promiseDeadline: number;
  /** Writable only once the memory of this number is on disk. */
  readonly needsSeq: number;
  /** The store has acknowledged it, and nothing has shown it since; `looked` once a reading failed to. */
  readonly unproven: { readonly etag: string; readonly sentAt: number; readonly looked: boolean } | null;
  /** Writes that may yet turn out to have happened. */
  readonly ownWrites: readonly { readonly nonce: string; readonly sentAt: number }[];
  /** The last store operation failed: the witness may be out of sight. */
  readonly troubled: boolean;
  /** Time of the last expiry that was told. */
  readonly lapseTold: boolean;
}

/** What a hand-over that goes well passes through, in order; each is told as an event before it begins. */
export const HANDOVER_PHASES = [
  /** Publish and apply while writes go on. */
  'pre-sync',
  /** Asking the peer whether it can take over, before (`peer-check`) and after (`final-check`) the last sync. */
  'peer-check',
  /** The last publish and apply; writes are held from here on. */
  'final-sync',
  'final-check',
  /** Decided; the compare-and-swap waits for the store to be free. */
  'swap',
  'swap-sent',
] as const;

export type HandoverPhase =
  | (typeof HANDOVER_PHASES)[number]
  | 'swap-unknown'
  /** It has not happened yet but could: a renewal makes sure that it never will. */
  | 'voiding';

export interface Handover {
  readonly cause: 'handover-sick' | 'handover-planned';
  readonly phase: HandoverPhase;
  readonly phaseEnds: number;
  readonly phaseBegan: number;
  readonly askId: number;
  readonly finalBoundMs: number;
  /** Since when writes are refused: an acknowledgement that was decided before is given the safety margin to leave. */
  readonly heldSince: number;
  readonly clean: boolean;
  readonly requestId: number | null;
  readonly by: string;
  readonly reason: string;
  readonly swap: {
    readonly lease: Lease;
    readonly ifMatch: string;
    readonly entry: LeaseHistoryEntry;
  } | null;
}

/** What this site will do by itself unless somebody says no. */
export interface Proposal {
  readonly kind: 'claim' | 'handover';
  /** What is wrong, for the person who is asked. */
  readonly wrong: string;
  readonly since: number;
  readonly decidesAt: number;
  /** `decidesAt` by the wall clock, for people. */
  readonly decidesAtWall: string;
}

export interface Promotion {
  readonly id: number;
  readonly request: PromoteRequest;
  readonly giveUpAt: number;
  /** Renewals by the holder seen since the request: a holder that is alive is not pushed aside. */
  readonly renewalsSeen: number;
}

export interface StoreOperation {
  readonly id: number;
  readonly purpose: 'read' | 'renew' | 'claim' | 'handover';
  readonly sentAt: number;
  readonly nonce: string | null;
}

/** Top-level fields are replaced, nested values never changed in place: a step leaves its argument as it was. */
export interface LeaseState {
  config: LeaseConfig;
  /** Random word of this process, so that no nonce ever comes twice. */
  incarnation: string;
  serial: number;
  startedAt: number;
  persisted: PersistedState;
  requestedSeq: number;
  durableSeq: number;
  persistRetryAt: number | null;
  /** When `persisted.highestEpoch` last grew: answers to older requests may be older than that. */
  highestEpochAt: number;
  observed: Observed | null;
  witness: Health;
  lastContactAt: number | null;
  operation: StoreOperation | null;
  nextStoreAt: number;
  hold: Hold | null;
  handover: Handover | null;
  nextHandoverAt: number;
  /** `approved` is given by a fresh reading only, and used up by each attempt. */
  claim: {
    readonly approved: boolean;
    readonly firstSentAt: number | null;
    readonly needsSeq: number;
  } | null;
  promotion: Promotion | null;
  proposal: Proposal | null;
  /** Monotonic end of `persisted.veto`. */
  vetoUntil: number;
  /** A promise to the peer: no claim before this time. */
  grantedUntil: number;
  promiseAsk: { readonly id: number; readonly sentAt: number; readonly epoch: number } | null;
  nextPromiseAt: number;
  peer: PeerStatus | null;
  peerSeenAt: number | null;
  peerAsk: { readonly id: number; readonly at: number } | null;
  nextPeerAt: number;
  /** When this process last saw the epoch grow. */
  epochChangedAt: number;
  switches: readonly { readonly at: number; readonly automatic: boolean }[];
  historyAsk: number | null;
  historyWanted: boolean;
  historyWrite: { readonly id: number; readonly epoch: number } | null;
  nextHistoryReadAt: number;
  nextHistoryWriteAt: number;
  alerts: readonly string[];
  shown: SiteState;
}

/** One step in the making: the new state, the event, and the actions asked for so far. */
export interface Draft {
  readonly s: LeaseState;
  readonly e: LeaseEvent;
  readonly actions: Action[];
}

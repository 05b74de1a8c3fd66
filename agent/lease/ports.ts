/** What the lease keeper needs from the outside: the object store, the peer, the local site, a clock and a file. */
import type {
  Health,
  Lease,
  LeaseHistoryEntry,
  PromiseRequest,
  PromiseResponse,
  PromotableResponse,
  PublishInfo,
  StatusResponse,
} from '../../infra/contract/agent-api';

/**
 * The lease object and its history. Every change of the lease is a compare-and-swap on its ETag.
 *
 * `read` throws {@link StoreUnreachableError} or {@link LeaseCorruptError}. A `write` that throws
 * {@link StoreUnreachableError} has an **unknown** outcome: it may have happened, or may yet happen.
 */
export interface LeaseStore {
  read(): Promise<{ readonly lease: Lease; readonly etag: string } | 'absent'>;
  write(lease: Lease, ifMatch: string): Promise<{ readonly etag: string } | 'conflict'>;
  /** Idempotent: an epoch that has an entry already keeps it. */
  appendHistory(entry: LeaseHistoryEntry): Promise<void>;
  /** Oldest first. */
  history(): Promise<readonly LeaseHistoryEntry[]>;
}

/** The word that stands for "there must be no lease yet" where an ETag is expected. */
export const ABSENT = 'absent';

/** The peer's agent; every method throws when it cannot be reached. */
export interface PeerPort {
  promise(request: PromiseRequest): Promise<PromiseResponse>;
  wake(): Promise<void>;
  status(): Promise<StatusResponse>;
}

/** The site that this keeper speaks for. All but `finalSync` answer at once from what is known already. */
export interface LocalView {
  promotable(): PromotableResponse;
  canary(): { readonly health: Health; readonly since: number };
  /** True while a failing canary is given time: the engine was restarted, and a hand-over waits for what comes of it. */
  recovering(): boolean;
  dataAgeSeconds(): number | null;
  /**
   * Publishes and has the peer apply and verify that very publish.
   *
   * @param deadlineMs longest that this may take, in milliseconds from the call
   * @returns what the peer now has, or null when that could not be had in time
   */
  finalSync(deadlineMs: number): Promise<PublishInfo | null>;
}

/** Time as the keeper sees it. `now` must never go back and must count time that the machine was suspended. */
export interface Clock {
  now(): number;
  /** Wall clock in ISO 8601, for people; never compared. */
  wall(): string;
  /** Calls back once after `ms`, unless the function answered is called before. */
  timer(ms: number, callback: () => void): () => void;
}

/** Where a site keeps what it must remember across restarts. `save` answers when the value is on disk. */
export interface StatePort {
  load(): Promise<PersistedState | null>;
  save(state: PersistedState): Promise<void>;
}

/** A claim that was decided and whose outcome is not known for sure yet. */
export interface PendingClaim {
  readonly lease: Lease;
  /** ETag that the claim is conditional on, or {@link ABSENT}. */
  readonly ifMatch: string;
  /** Nonce of the lease that it would replace: what is older than that says nothing about the claim. */
  readonly overNonce?: string | undefined;
  readonly entry: LeaseHistoryEntry;
}

/**
 * A person's no to switches that agents decide. A restart begins its time anew: no clock outlives a boot, and a no that
 * lasts too long is seen by its author.
 */
export interface Veto {
  readonly by: string;
  readonly reason: string;
  /** Wall clock, for people. */
  readonly at: string;
  readonly forSeconds: number;
}

/** What a site remembers across restarts. */
export interface PersistedState {
  readonly version: 1;
  /** Highest epoch ever seen; a store that shows a lower one has gone back in time. */
  readonly highestEpoch: number;
  /** Last epoch under which this site may have acknowledged writes. */
  readonly lastHeldEpoch: number | null;
  /** Equal to `lastHeldEpoch` when the peer had every one of those writes at the hand-over. */
  readonly cleanHandoverEpoch: number | null;
  /** Epoch of the holder's publish that has replaced this site's data. */
  readonly reprotectedEpoch: number | null;
  /** True from the beginning of a re-protection until it has been verified. */
  readonly reprotecting: boolean;
  readonly pendingClaim: PendingClaim | null;
  /** Entries of the lease history that still have to be written. */
  readonly unwrittenHistory: readonly LeaseHistoryEntry[];
  /** Nobody but a person moves the service while it lasts. */
  readonly veto: Veto | null;
}

export const EMPTY_STATE: PersistedState = {
  version: 1,
  highestEpoch: 0,
  lastHeldEpoch: null,
  cleanHandoverEpoch: null,
  reprotectedEpoch: null,
  reprotecting: false,
  pendingClaim: null,
  unwrittenHistory: [],
  veto: null,
};

/**
 * The vocabulary of who leads a site. Times are milliseconds of the local monotonic clock and come in with the events,
 * as in the lease's core; no reading of one machine's clock is compared with another's.
 */
import type { LeaderRecord, Position } from './record';

export interface LeaderConfig {
  readonly site: string;
  readonly server: string;
  readonly others: readonly string[];
  /** Begins the site's memory where there is none at all. */
  readonly founder: boolean;
  readonly ttlMs: number;
  readonly marginMs: number;
  /** Bound on the relative rate of two monotonic clocks, as a fraction. */
  readonly drift: number;
}

export type LeaderRead =
  | { readonly kind: 'record'; readonly record: LeaderRecord; readonly etag: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreachable' | 'corrupt'; readonly detail: string };

export type LeaderWrite =
  | { readonly kind: 'written'; readonly etag: string }
  | { readonly kind: 'conflict' }
  /** No answer: it may have happened, or may yet happen. */
  | { readonly kind: 'unknown'; readonly detail: string };

export type LeaderHappening =
  | { readonly type: 'tick' }
  | { readonly type: 'read-done'; readonly op: number; readonly result: LeaderRead }
  | { readonly type: 'write-done'; readonly op: number; readonly result: LeaderWrite }
  | { readonly type: 'copy-saved'; readonly position: Position; readonly ok: boolean }
  | { readonly type: 'remember'; readonly part: string; readonly value: unknown }
  | { readonly type: 'promise-asked'; readonly from: string; readonly term: number }
  | {
      readonly type: 'promise-answered';
      readonly ask: number;
      readonly server: string;
      readonly granted: boolean;
    };

export type LeaderEvent = LeaderHappening & { readonly now: number; readonly wall: string };

export type LeaderAction =
  | { readonly type: 'read'; readonly op: number }
  | { readonly type: 'write'; readonly op: number; readonly record: LeaderRecord; readonly ifMatch: string }
  | { readonly type: 'save-copy'; readonly record: LeaderRecord }
  | { readonly type: 'ask-promise'; readonly ask: number; readonly server: string; readonly term: number }
  | { readonly type: 'promise-answer'; readonly granted: boolean }
  | { readonly type: 'tell'; readonly detail: string }
  | { readonly type: 'alert'; readonly code: string; readonly detail: string };

/** What the store last showed, and since when, by this server's clock, it has shown just that. */
export type Seen =
  | {
      readonly kind: 'record';
      readonly record: LeaderRecord;
      readonly etag: string;
      readonly changedAt: number;
    }
  | { readonly kind: 'absent'; readonly changedAt: number };

/** This server leads, or did when its last write was confirmed. */
export interface Lead {
  readonly term: number;
  /** ETag to write on; null when a write of unknown outcome makes reading necessary. */
  readonly etag: string | null;
  readonly storeDeadline: number;
  readonly promiseDeadline: number;
  /** What the next write says; ahead of the store while something is to be remembered. */
  readonly revision: number;
  readonly memory: LeaderRecord['memory'];
  /** Revision of the last confirmed write. */
  readonly storedRevision: number;
  readonly ownWrites: readonly OwnWrite[];
  /** The last store operation failed: the witness may be out of sight. */
  readonly troubled: boolean;
}

export interface OwnWrite {
  readonly record: LeaderRecord;
  readonly sentAt: number;
}

export interface PromiseAsk {
  readonly id: number;
  readonly sentAt: number;
  readonly missing: readonly string[];
}

/** Top-level fields are replaced, nested values never changed in place. */
export interface LeaderState {
  config: LeaderConfig;
  /** Random word of this process, so that no nonce ever comes twice. */
  incarnation: string;
  serial: number;
  /** What a site with one server left on this disk, for a founder without a predecessor. */
  inheritance: LeaderRecord['memory'];
  /** What this server's disk has, for sure. */
  copy: Position | null;
  seen: Seen | null;
  witnessHealthy: boolean;
  operation: {
    readonly id: number;
    readonly kind: 'read' | 'renew' | 'claim';
    readonly write: OwnWrite | null;
  } | null;
  nextStoreAt: number;
  lead: Lead | null;
  /** A claim that may have happened, or may yet, until the store shows another ETag than it is conditional on. */
  openClaim: { readonly write: OwnWrite; readonly ifMatch: string } | null;
  /** A promise to the leader: no claim before this time. */
  grantedUntil: number;
  ask: PromiseAsk | null;
  nextAskAt: number;
  alerts: readonly string[];
}

/** The word that stands for "there must be no object yet" where an ETag is expected. */
export const ABSENT = 'absent';

/** Until when this server leads for sure; -Infinity when it does not. */
export const leadsUntil = ({ lead }: LeaderState): number =>
  lead === null ? -Infinity : Math.max(lead.storeDeadline, lead.promiseDeadline);

/**
 * A small world around the real core, as a value: two sites, the store, and every message on its way. Nothing in it is
 * ever changed in place, so that a search can go on from any state in every direction.
 */
import type { Lease, PromiseResponse } from '../../../infra/contract/agent-api';
import type { Action, LeaseConfig, LeaseState, ReadResult, WriteResult } from '../model';
import type { PersistedState } from '../ports';

/** Of one length, and strange enough that nothing else in a state is called so: the symmetry swaps them as text. */
export const NAMES = ['sitea', 'siteb'] as const;
export type Name = (typeof NAMES)[number];
export const otherName = (name: Name): Name => (name === 'sitea' ? 'siteb' : 'sitea');

/** One step of time. */
export const TICK_MS = 1000;
export const CONFIG: Omit<LeaseConfig, 'site' | 'peer' | 'initialHolder'> = {
  ttlMs: 4 * TICK_MS,
  marginMs: TICK_MS / 2,
  drift: 0.0005,
  mode: 'automatic',
  graceMs: 0,
  cooldownMs: 0,
  maxSwitchesPerHour: 100,
  handoverSyncMs: TICK_MS,
  preSyncMs: TICK_MS,
};

export interface SiteWorld {
  /** Null while its process is dead. */
  readonly state: LeaseState | null;
  readonly disk: PersistedState;
  readonly processes: number;
  readonly paused: boolean;
  readonly sick: boolean;
  readonly promotable: boolean;
  /** Epoch under which it has been writable, as long as nobody else is known to have all of its writes. */
  readonly tainted: number | null;
}

export type Place = Name | 'store';

/** Request or answer, on its way; `process` is the one that asked. */
export type Message = { readonly site: Name; readonly process: number } & (
  | { readonly kind: 'read'; readonly op: number }
  | { readonly kind: 'read-answer'; readonly op: number; readonly result: ReadResult }
  | { readonly kind: 'write'; readonly op: number; readonly lease: Lease; readonly ifMatch: string }
  | { readonly kind: 'write-answer'; readonly op: number; readonly result: WriteResult }
  | { readonly kind: 'promise'; readonly id: number; readonly epoch: number }
  | { readonly kind: 'promise-answer'; readonly id: number; readonly answer: PromiseResponse }
);

export interface StoreWorld {
  readonly lease: Lease | null;
  readonly etag: string;
  /** What it held before, for a reading that is old. */
  readonly before: { readonly lease: Lease; readonly etag: string } | null;
}

export type Link = 'sitea-store' | 'siteb-store' | 'sitea-siteb';

export interface World {
  readonly now: number;
  readonly sites: Readonly<Record<Name, SiteWorld>>;
  readonly store: StoreWorld;
  /** To be delivered next, in this order. */
  readonly queue: readonly Message[];
  /** Delayed: may arrive at any later moment. */
  readonly held: readonly Message[];
  readonly cut: readonly Link[];
  /** Highest epoch under which any site could have acknowledged. */
  readonly acknowledged: number;
  /** How many more things may go wrong. */
  readonly budget: number;
}

/** Where a message goes, by way of which link. */
export function linkOf(message: Message): Link {
  return message.kind.startsWith('promise') ? 'sitea-siteb' : `${message.site}-store`;
}

export type LeaseWrite = Extract<Action, { type: 'write' }>;

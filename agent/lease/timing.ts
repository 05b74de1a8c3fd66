/**
 * The sums behind mutual exclusion (docs/lease.md has the argument). The holder counts from *before* it sent a
 * write and stops early; everybody else counts from *after* they saw its effect and waits longer.
 */
import type { LeaseConfig, LeaseState } from './model';

/** Until when a holder may write by virtue of something that it sent at `sentAt`. */
export function holderDeadline(config: LeaseConfig, sentAt: number): number {
  return sentAt + config.ttlMs * (1 - config.drift) - config.marginMs;
}

/** How long another site's lease must have been seen unchanged before it is known to have run out. */
export function observerWaitMs(config: LeaseConfig, leaseTtlSeconds: number | null): number {
  return Math.max(config.ttlMs, (leaseTtlSeconds ?? 0) * 1000) * (1 + config.drift);
}

/** When what the store shows counts as run out; never before one full wait in this process. */
export function expiresAt(s: LeaseState): number {
  if (s.observed === null) return Infinity;
  const ttlSeconds = s.observed.kind === 'lease' ? s.observed.lease.ttlSeconds : null;
  return s.observed.changedAt + observerWaitMs(s.config, ttlSeconds);
}

/** The holder renews this often. */
export const renewEveryMs = (config: LeaseConfig): number => config.ttlMs / 3;
/** Others look at the lease this often. */
export const pollEveryMs = (config: LeaseConfig): number => config.ttlMs / 10;
/** Pause after a store operation that failed. */
export const retryAfterMs = (config: LeaseConfig): number => Math.min(1000, config.ttlMs / 20);
/** The core wants a tick at least this often. */
export const tickEveryMs = (config: LeaseConfig): number => Math.min(1000, Math.max(20, config.ttlMs / 20));
/** Peer knowledge older than this is no knowledge. */
export const peerStaleMs = (config: LeaseConfig): number => config.ttlMs;

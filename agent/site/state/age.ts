/**
 * An age that keeps growing by local monotonic time. No two machines' clocks are compared: the first reading comes
 * from the store's own clock, the rest from this machine's.
 */
import type { SiteClock } from '../ports';

export interface AgeAnchor {
  readonly bootId: string;
  readonly monotonicMs: number;
  readonly ageSeconds: number;
}

export function anchorAge(clock: SiteClock, ageSeconds: number): AgeAnchor {
  return { bootId: clock.bootId, monotonicMs: clock.monotonicMs(), ageSeconds };
}

/** Of data whose age nobody can tell: it is read from the store again and again until it can be. */
export const UNKNOWN_AGE: AgeAnchor = { bootId: '', monotonicMs: 0, ageSeconds: 0 };

/**
 * By the wall, for what happens once in days: it survives reboots, and is not told wrong by much. Null when the clock was set
 * back since.
 */
export function wallAgeSeconds(since: string, clock: Pick<SiteClock, 'wallIso'>): number | null {
  const seconds = (Date.parse(clock.wallIso()) - Date.parse(since)) / 1000;
  return seconds < 0 ? null : seconds;
}

/** Null after a reboot: monotonic time started again and the age must be read from the store. */
export function ageOf(anchor: AgeAnchor | null, clock: SiteClock): number | null {
  if (anchor === null || anchor.bootId !== clock.bootId) return null;
  return anchor.ageSeconds + Math.max(0, clock.monotonicMs() - anchor.monotonicMs) / 1000;
}

/**
 * Which publishes are kept: all of the last hours, then one an hour, then one a day. A publish's own id says when it was
 * made; time is measured back from the newest, so that a clock that is wrong or stands still throws nothing away.
 */
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';

export type HistorySpec = SiteAgentSpec['snapshots']['history'];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Wall clock of the publisher, in ms; null for what is no publish's id. */
export function publishTime(id: string): number | null {
  const match = /^\d{10}-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{4}$/.exec(id);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/**
 * The ids that may be removed. The newest never, nor anything within `allHours` of it: a reader may be fetching that. Of
 * each hour and each day the last one stays. What is no publish's id is nobody's to remove.
 */
export function surplus(ids: readonly string[], { allHours, hourlyHours, dailyDays }: HistorySpec): string[] {
  const made = ids
    .map((id) => ({ id, at: publishTime(id) }))
    .filter((one): one is { id: string; at: number } => one.at !== null)
    .sort((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));
  const newest = made[0]?.at ?? 0;
  const taken = new Set<string>();
  const isFirstOf = (slot: string): boolean => !taken.has(slot) && taken.add(slot) !== undefined;
  return made
    .filter(({ at }) => {
      const age = newest - at;
      const hourly = age <= hourlyHours * HOUR_MS && isFirstOf(`hour ${Math.floor(at / HOUR_MS)}`);
      const daily = age <= dailyDays * DAY_MS && isFirstOf(`day ${Math.floor(at / DAY_MS)}`);
      return age > allHours * HOUR_MS && !hourly && !daily;
    })
    .map(({ id }) => id)
    .reverse();
}

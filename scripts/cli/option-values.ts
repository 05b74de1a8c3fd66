/** Numbers given as options, or a sentence about what was expected. */
import { UsageError } from './errors';

export function number(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new UsageError(`${option} wants a number above 0, got ${text}`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** `90s`, `30m` or `2h`, as seconds. */
export function seconds(option: string, text: string, most: number): number {
  const match = /^(\d+(?:\.\d+)?)([smh])$/.exec(text);
  const value = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? NaN);
  if (!(value > 0 && value <= most))
    throw new UsageError(
      `${option} wants a time up to ${most / 3600} h, such as 90s, 30m or 2h; got ${text}`,
    );
  return value;
}

export function whole(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`${option} wants a whole number from ${least} to ${most}, got ${text}`);
  }
  return value;
}

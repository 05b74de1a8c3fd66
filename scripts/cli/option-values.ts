/** Numbers given as options, or a sentence about what was expected. */
import { UsageError } from './errors';

export function number(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0)
    throw new UsageError(`${option} wants a number above 0, got ${text}`);
  return value;
}

export function whole(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new UsageError(`${option} wants a whole number from ${least} to ${most}, got ${text}`);
  }
  return value;
}

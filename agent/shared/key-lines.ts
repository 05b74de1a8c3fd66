/**
 * Keys that others present may be several, one a line: while a key is changed, the new one and the one before it both hold.
 * The first is the one that we present ourselves.
 */
export function keyLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

export const firstKey = (text: string): string => keyLines(text)[0] ?? '';

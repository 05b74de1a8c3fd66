/** Random text by the rules of RandomPassword and RandomString. */
import { randomBytes, randomInt } from 'node:crypto';

export interface TextRules {
  readonly length: number;
  readonly upper: boolean;
  readonly lower: boolean;
  readonly numeric: boolean;
  readonly special: boolean;
  readonly minUpper: number;
  readonly minLower: number;
  readonly minNumeric: number;
  readonly minSpecial: number;
  readonly overrideSpecial?: string;
}

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const NUMERIC = '0123456789';
const SPECIAL = '!@#$%&*()-_=+[]{}<>:?';

/** Draws the wanted minimum of each class, fills up from all allowed classes, and shuffles. */
export function randomText(rules: TextRules): string {
  const special =
    rules.overrideSpecial === undefined || rules.overrideSpecial === '' ? SPECIAL : rules.overrideSpecial;
  const allowed = [
    rules.upper ? UPPER : '',
    rules.lower ? LOWER : '',
    rules.numeric ? NUMERIC : '',
    rules.special ? special : '',
  ].join('');
  const characters = [
    ...draw(UPPER, rules.minUpper),
    ...draw(LOWER, rules.minLower),
    ...draw(NUMERIC, rules.minNumeric),
    ...draw(special, rules.minSpecial),
  ];
  characters.push(...draw(allowed, rules.length - characters.length));
  for (let i = characters.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [characters[i], characters[j]] = [characters[j] as string, characters[i] as string];
  }
  return characters.join('');
}

function draw(from: string, count: number): string[] {
  return Array.from({ length: count }, () => from.charAt(randomInt(from.length)));
}

/** Sixteen random bytes, written like a UUID. */
export function randomUuid(): string {
  const hex = randomBytes(16).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

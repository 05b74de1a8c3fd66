/**
 * JSON whose integers beyond 2^53 survive: Qdrant's ids are unsigned 64-bit, and `JSON.parse` would round them to those
 * of other points.
 */

/** 16 digits in a row that are not a fraction: only then is the slow way needed. */
const MAY_HAVE_BIG = /(?:^|[^.\d])-?\d{16,}/;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** No JSON text of Qdrant's begins a string like this. */
const MARK = '\u0000big:';
const MARKED = /"\\u0000big:(-?\d+)"/g;

/** As `JSON.parse`, but integers that a double cannot hold come as `bigint`. */
export function parseExact(text: string): unknown {
  if (!MAY_HAVE_BIG.test(text)) return JSON.parse(text) as unknown;
  const marked = text.replace(TOKENS, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"\\u0000big:${token}"` : token,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? unmarked(value) : value,
  ) as unknown;
}

function unmarked(text: string): unknown {
  const digits = text.slice(MARK.length);
  return /^-?\d+$/.test(digits) ? BigInt(digits) : text;
}

/** As `JSON.stringify`, with each `bigint` as the integer that it is. */
export function stringifyExact(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? `${MARK}${inner}` : inner,
  );
  return text.includes('\\u0000big:') ? text.replace(MARKED, '$1') : text;
}

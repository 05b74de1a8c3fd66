/**
 * Property values as the engine sends them: plain JSON in which a reserved key marks what JSON cannot say. They are
 * kept in that form throughout, so that a secret that is only passed on comes out as the secret that went in.
 */

/** A property value in wire form. */
export type Wire = null | boolean | number | string | readonly Wire[] | { readonly [key: string]: Wire };
export type WireMap = Readonly<Record<string, Wire>>;

const SIGNATURE = '4dabf18193072939515e22adb298388d';
const SECRET = '1b47061264138c4ac30d75fd1eb44270';
const ASSET = 'c44067f5952c0a294b673a41bacd8c17';
const ARCHIVE = '0def7320c3a5731c473e5ecbe6d01bc7';
/** A value that only the deployment will know, during a preview. */
export const UNKNOWN = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';
/** The engine has one marker per type of unknown; the first is the one that providers send. */
const UNKNOWNS: ReadonlySet<string> = new Set([
  UNKNOWN,
  '1c4a061d-8072-4f0a-a4cb-0ff528b18fe7',
  '3eeb2bf0-c639-47a8-9e75-3b44932eb421',
  '6a19a0b0-7e62-4c92-b797-7f8e31da9cc2',
  '030794c1-ac77-496b-92df-f27374a8bd58',
  'e48ece36-62e2-4504-bad9-02848725956a',
  'dd056dcd-154b-4c76-9bd3-c8f88648b5ff',
]);

export function isMap(value: Wire | undefined): value is WireMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isList(value: Wire | undefined): value is readonly Wire[] {
  return Array.isArray(value);
}

export function isSecret(
  value: Wire | undefined,
): value is { readonly value: Wire; readonly [key: string]: Wire } {
  return isMap(value) && value[SIGNATURE] === SECRET;
}

export function isAsset(value: Wire | undefined): value is WireMap {
  return isMap(value) && value[SIGNATURE] === ASSET;
}

export function isArchive(value: Wire | undefined): value is WireMap {
  return isMap(value) && value[SIGNATURE] === ARCHIVE;
}

export function isUnknown(value: Wire | undefined): boolean {
  return typeof value === 'string' && UNKNOWNS.has(value);
}

/** Marks a value as secret; one that already is stays as it is. */
export function secret(value: Wire): Wire {
  return isSecret(value) ? value : { [SIGNATURE]: SECRET, value };
}

export function asset(fields: WireMap): Wire {
  return { [SIGNATURE]: ASSET, ...fields };
}

export function archive(fields: WireMap): Wire {
  return { [SIGNATURE]: ARCHIVE, ...fields };
}

/** The value without its secret mark; what is nested keeps its own. */
export function bare(value: Wire | undefined): Wire | undefined {
  return isSecret(value) ? bare(value.value) : value;
}

/** The value in plain JSON, without any secret mark. */
export function plain(value: Wire): Wire {
  const own = bare(value) as Wire;
  if (isList(own)) return own.map(plain);
  if (isMap(own)) {
    return Object.fromEntries(Object.entries(own).map(([key, inner]) => [key, plain(inner)]));
  }
  return own;
}

export function containsUnknown(value: Wire | undefined): boolean {
  const own = bare(value);
  if (isList(own)) return own.some(containsUnknown);
  if (isMap(own)) return Object.values(own).some(containsUnknown);
  return isUnknown(own);
}

/** Equality as the engine sees it: assets and archives by their hashes, all else by content, secret marks included. */
export function sameValue(a: Wire | undefined, b: Wire | undefined): boolean {
  if (a === b) return true;
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, i) => sameValue(item, b[i]));
  if (!isMap(a) || !isMap(b)) return false;
  if ((isAsset(a) && isAsset(b)) || (isArchive(a) && isArchive(b))) {
    return typeof a['hash'] === 'string' && a['hash'] === b['hash'];
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => sameValue(a[key] ?? null, b[key] ?? null));
}

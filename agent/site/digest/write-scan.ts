/**
 * Which points a write that passed the gateway may have touched. Naming too many costs a read; naming too few would make
 * the digest wrong, so whatever is not understood means the whole collection.
 */
import type { IdKey } from './point-hash';

export type Touched =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'aliases' }
  | { readonly kind: 'ids'; readonly name: string; readonly ids: readonly IdKey[] }
  | { readonly kind: 'collection'; readonly name: string };

export interface SeenWrite {
  readonly method: string;
  /** As the client sent it. */
  readonly url: string;
  readonly encoding: string | undefined;
  /** Null when it was longer than what is looked at. */
  readonly body: Buffer | null;
}

const PATH = /^\/collections\/([^/?]+)(?:\/([^?]*))?(?:\?|$)/;
/** Bodies with a list of points: found by looking for `"id"`, since parsing 256 KB of vectors costs milliseconds. */
const POINT_LISTS: ReadonlySet<string> = new Set(['PUT points', 'PUT points/vectors']);
/** Small bodies that name ids, or a filter. */
const SELECTIONS: ReadonlySet<string> = new Set([
  'POST points/delete',
  'POST points/payload',
  'PUT points/payload',
  'POST points/payload/clear',
  'POST points/payload/delete',
  'POST points/vectors/delete',
]);
/** Selections and batches longer than this are not parsed. */
const MAX_PARSED = 1024 * 1024;
const ID_MEMBER = Buffer.from('"id"');
const IDS_MEMBER = Buffer.from('"ids"');
/** `ids` could be spelled `\u0069\u0064\u0073`. */
const ESCAPED = [Buffer.from('\\u006'), Buffer.from('\\u007')];

export function touchedBy(write: SeenWrite): Touched {
  const path = write.url.split('?', 1)[0] ?? '';
  if (path === '/collections/aliases') return { kind: 'aliases' };
  const match = PATH.exec(write.url);
  if (match?.[1] === undefined) return { kind: 'nothing' };
  const name = decoded(match[1]);
  const what = `${write.method} ${match[2] ?? ''}`;
  // Settings and indexes; a collection that is made anew has been deleted before.
  if (what === 'PATCH ' || /^(PUT|DELETE) index(\/|$)/.test(what)) return { kind: 'nothing' };
  const ids = idsIn(what, write);
  return ids === null ? { kind: 'collection', name } : { kind: 'ids', name, ids };
}

function idsIn(what: string, { body, encoding }: SeenWrite): IdKey[] | null {
  if (body === null || (encoding !== undefined && encoding !== 'identity')) return null;
  if (POINT_LISTS.has(what)) return idsInPointList(body);
  if (body.length > MAX_PARSED) return null;
  if (SELECTIONS.has(what)) return idsInSelection(parsed(body));
  if (what === 'POST points/batch') return idsInBatch(parsed(body));
  return null;
}

/**
 * Every value of a member `id`, at whatever depth, and of a list `ids`: one in a payload costs a read of a point that may
 * not exist. What is not shaped like an id Qdrant refuses, so it is passed over.
 */
function idsInPointList(body: Buffer): IdKey[] | null {
  if (ESCAPED.some((spelling) => body.includes(spelling))) return null;
  const found: IdKey[] = [];
  const add = (key: IdKey | null): void => void (key !== null && found.push(key));
  for (let at = body.indexOf(ID_MEMBER); at !== -1; at = body.indexOf(ID_MEMBER, at + 1)) {
    const after = body.toString('latin1', at + ID_MEMBER.length, at + ID_MEMBER.length + 100);
    if (/^\s*:?\s*$/.test(after) || /^\s*:\s*"[^"]*\\/.test(after)) return null;
    add(idKey(/^\s*:\s*("[^"\\]{0,60}"|\d{1,20}(?=[\s,}]))/.exec(after)?.[1] ?? ''));
  }
  for (let at = body.indexOf(IDS_MEMBER); at !== -1; at = body.indexOf(IDS_MEMBER, at + 1)) {
    const list = body.toString('latin1', at + IDS_MEMBER.length, body.indexOf(']', at));
    if (list.includes('\\')) return null;
    for (const text of /^\s*:\s*\[([^[{}]*)$/.exec(list)?.[1]?.split(',') ?? []) add(idKey(text.trim()));
  }
  // Points were sent and none was found: it is no list that is understood here.
  return found.length === 0 && body.length > 32 ? null : found;
}

/** `{"points": [ids]}`, or anything else. */
function idsInSelection(body: unknown): IdKey[] | null {
  if (!isRecord(body) || body['filter'] !== undefined || !Array.isArray(body['points'])) return null;
  return keysIn(body['points'].map(idText));
}

function idsInBatch(body: unknown): IdKey[] | null {
  if (!isRecord(body) || !Array.isArray(body['operations'])) return null;
  const found: IdKey[] = [];
  for (const operation of body['operations'] as unknown[]) {
    const [kind, value] = isRecord(operation) ? (Object.entries(operation)[0] ?? []) : [];
    const ids = kind === 'upsert' || kind === 'update_vectors' ? idsOfPoints(value) : idsInSelection(value);
    if (ids === null) return null;
    found.push(...ids);
  }
  return found;
}

function idsOfPoints(value: unknown): IdKey[] | null {
  if (!isRecord(value)) return null;
  const { points, batch } = value;
  if (Array.isArray(points)) {
    return keysIn(points.map((point: unknown) => idText(isRecord(point) ? point['id'] : undefined)));
  }
  if (isRecord(batch) && Array.isArray(batch['ids'])) return keysIn(batch['ids'].map(idText));
  return null;
}

function keysIn(texts: readonly string[]): IdKey[] | null {
  const keys = texts.map(idKey);
  return keys.includes(null) ? null : (keys as IdKey[]);
}

/** What JSON parsing has rounded is no id that could be read back. */
function idText(id: unknown): string {
  if (typeof id === 'number' && !Number.isSafeInteger(id)) return '';
  return typeof id === 'number' || typeof id === 'string' ? JSON.stringify(id) : '';
}

/** As Qdrant shows it: a UUID in small letters with hyphens. Null for what is no id. */
function idKey(text: string): IdKey | null {
  if (/^\d{1,20}$/.test(text)) return BigInt(text).toString();
  const hex = text
    .slice(1, -1)
    .toLowerCase()
    .replace(/^urn:uuid:/, '')
    .replace(/[-{}]/g, '');
  if (!text.startsWith('"') || !/^[0-9a-f]{32}$/.test(hex)) return null;
  return `"${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}"`;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    // Qdrant will refuse it as well; if it does not, the whole collection is read.
    return undefined;
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

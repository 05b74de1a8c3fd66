/** Points of a collection with payload and vectors, page by page, each page small enough for the event loop. */
import type { QdrantClient } from '../qdrant/client';
import { parseExact } from './exact-json';
import { keyOf, type IdKey, type RawPoint } from './point-hash';

export type PointSource = Pick<QdrantClient, 'pointsText'>;

/** Pages grow or shrink towards so much JSON: some 2 ms of parsing. */
const PAGE_BYTES = 256 * 1024;
const FIRST_PAGE = 32;
const MAX_PAGE = 1_000;
/** Ids in one request. */
export const RETRIEVE_BATCH = 64;

/** Every point, in the order of ids; a point that is written meanwhile is seen as it was or as it is. */
export async function* scanPoints(source: PointSource, name: string): AsyncGenerator<readonly RawPoint[]> {
  let limit = FIRST_PAGE;
  let offset: IdKey | null = null;
  do {
    const from: string = offset === null ? '' : `"offset":${offset},`;
    const body = `{${from}"limit":${limit},"with_payload":true,"with_vector":true}`;
    const text = await source.pointsText(name, 'scroll', body);
    const { points, next_page_offset: next } = resultOf<{ points: RawPoint[]; next_page_offset?: unknown }>(
      text,
    );
    if (points.length > 0) yield points;
    limit = pageFor(points.length, text.length);
    offset = next === null || next === undefined ? null : keyOf(next);
  } while (offset !== null);
}

/** Those of the points that exist. */
export async function readPoints(
  source: PointSource,
  name: string,
  keys: readonly IdKey[],
): Promise<Map<IdKey, RawPoint>> {
  const found = new Map<IdKey, RawPoint>();
  for (let at = 0; at < keys.length; at += RETRIEVE_BATCH) {
    const ids = keys.slice(at, at + RETRIEVE_BATCH).join(',');
    const text = await source.pointsText(name, '', `{"ids":[${ids}],"with_payload":true,"with_vector":true}`);
    for (const point of resultOf<RawPoint[]>(text)) found.set(keyOf(point.id), point);
  }
  return found;
}

function resultOf<T>(text: string): T {
  return (parseExact(text) as { result: T }).result;
}

function pageFor(points: number, bytes: number): number {
  if (points === 0) return FIRST_PAGE;
  return Math.max(1, Math.min(MAX_PAGE, Math.floor((PAGE_BYTES * points) / bytes)));
}

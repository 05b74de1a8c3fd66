/**
 * Which of Qdrant's requests the edge lets through, and which of those only read. What is not listed as a read is a
 * write and goes to the write gateway; what lies outside these resources is not there at all.
 */

export interface ReadRule {
  readonly method: 'GET' | 'POST';
  /** Path with `{x}` for one segment. */
  readonly path: string;
}

const C = '/collections/{collection_name}';

export const VECTOR_READS: readonly ReadRule[] = [
  { method: 'GET', path: '/aliases' },
  { method: 'GET', path: '/collections' },
  { method: 'GET', path: C },
  { method: 'GET', path: `${C}/aliases` },
  { method: 'GET', path: `${C}/exists` },
  { method: 'GET', path: `${C}/optimizations` },
  { method: 'GET', path: `${C}/points/{id}` },
  { method: 'POST', path: `${C}/facet` },
  { method: 'POST', path: `${C}/points` },
  ...[
    'count',
    'discover',
    'discover/batch',
    'query',
    'query/batch',
    'query/groups',
    'recommend',
    'recommend/batch',
    'recommend/groups',
    'scroll',
    'search',
    'search/batch',
    'search/groups',
    'search/matrix/offsets',
    'search/matrix/pairs',
  ].map((action): ReadRule => ({ method: 'POST', path: `${C}/points/${action}` })),
];

/** Resources below a collection that clients may reach; snapshots, shards and cluster are for the agent alone. */
export const COLLECTION_RESOURCES = [
  'aliases',
  'exists',
  'facet',
  'index',
  'optimizations',
  'points',
  'vectors',
] as const;

export const VECTOR_PATHS_REGEX = `^/(aliases|collections(/[^/]+(/(${COLLECTION_RESOURCES.join('|')})(/.*)?)?)?)$`;

/** One expression per method that matches exactly its reads. */
export function readsRegex(method: ReadRule['method']): string {
  const paths = VECTOR_READS.filter((rule) => rule.method === method).map(({ path }) =>
    path.replace(/\{[^}]*\}/g, '[^/]+'),
  );
  return `^(${paths.join('|')})$`;
}

/**
 * Spellings that a server behind could read as another path than the one that was checked: encoded separators and dots,
 * empty and dot segments, path parameters.
 */
export const AMBIGUOUS_PATH_REGEX = '(%2e|%2f|%5c|%25|%00|%3b|//|[\\\\;]|/\\.\\.?(/|$))';

export type PathClass = 'read' | 'write' | 'refused';

/** The same decision as the rendered configuration takes, for tests and for documentation. */
export function classifyVectorRequest(method: string, path: string): PathClass {
  if (new RegExp(AMBIGUOUS_PATH_REGEX, 'i').test(path)) return 'refused';
  if (!new RegExp(VECTOR_PATHS_REGEX).test(path)) return 'refused';
  if ((method === 'GET' || method === 'POST') && new RegExp(readsRegex(method)).test(path)) return 'read';
  return 'write';
}

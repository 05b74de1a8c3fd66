import operations from './qdrant-operations.json';
import { classifyVectorRequest, type PathClass, VECTOR_READS } from './paths';

/** What each operation of Qdrant's API is to the edge; a new one in the list has to be decided here. */
const EXPECTED: Record<string, PathClass> = Object.fromEntries(
  operations.map((operation): [string, PathClass] => {
    const [method = '', path = ''] = operation.split(' ');
    if (!/^\/(collections|aliases)/.test(path)) return [operation, 'refused'];
    if (/\/(cluster|shards|snapshots?)(\/|$)/.test(path)) return [operation, 'refused'];
    if (method === 'GET') return [operation, 'read'];
    if (
      /\/(facet|points|points\/(count|discover|query|recommend|scroll|search).*)$/.test(path) &&
      method === 'POST'
    ) {
      return [operation, 'read'];
    }
    return [operation, 'write'];
  }),
);

const concrete = (path: string): string => path.replace(/\{[^}]*\}/g, 'some-1');

describe('classes of Qdrant paths', () => {
  it.each(Object.entries(EXPECTED))('takes %s as %s', (operation, expected) => {
    const [method = '', path = ''] = operation.split(' ');
    expect(classifyVectorRequest(method, concrete(path))).toBe(expected);
  });

  it('names only operations that the API has', () => {
    expect(operations).toEqual(
      expect.arrayContaining(VECTOR_READS.map(({ method, path }) => `${method} ${path}`)),
    );
  });

  it('has at least one operation of every class, so that an empty list cannot pass', () => {
    expect(new Set(Object.values(EXPECTED))).toEqual(new Set(['read', 'write', 'refused']));
    expect(operations.length).toBeGreaterThan(50);
  });

  it.each([
    ['POST', '/collections/a/points/some-future-action'],
    ['POST', '/collections/a/points/search/batch/more'],
    ['OPTIONS', '/collections/a/points'],
    ['HEAD', '/collections/a'],
    ['POST', '/collections/a/exists'],
    ['POST', '/aliases'],
  ])('takes the unknown %s %s as a write', (method, path) => {
    expect(classifyVectorRequest(method, path)).toBe('write');
  });

  it.each([
    '/collections/a/snapshots',
    '/collections/a%2Fsnapshots',
    '/collections/a%2fsnapshots',
    '/collections/a/points/../snapshots',
    '/collections/a/points/%2e%2e/snapshots',
    '/collections/a//snapshots',
    '/collections//a/points',
    '/collections/a/points;x/scroll',
    '/collections/a\\snapshots',
    '/collections/a%252Fsnapshots',
    '/collections/a/shards/0/snapshot/partial/manifest',
    '/collections/',
    '/snapshots',
    '/telemetry',
    '/cluster',
    '/metrics',
    '/readyz/',
    '/COLLECTIONS/a',
  ])('refuses %s', (path) => {
    expect(classifyVectorRequest('POST', path)).toBe('refused');
    expect(classifyVectorRequest('GET', path)).toBe('refused');
  });

  it('takes names with encoded blanks and letters of any script', () => {
    expect(classifyVectorRequest('GET', '/collections/my%20notes')).toBe('read');
    expect(classifyVectorRequest('PUT', '/collections/caf%C3%A9/points')).toBe('write');
  });
});

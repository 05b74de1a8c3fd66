/** What {@link Http} checks on every answer anyway, once more by name, and that the checking can fail. */
import { create, fill } from './data';
import { loadSpec, OPENAPI, ShapeMismatchError } from './openapi';
import { Server } from './server';

const described = OPENAPI === undefined || OPENAPI === '' ? test.skip : test;
let server: Server;

beforeAll(async () => {
  server = await Server.start();
  await create(server.http, 'c', 4, { shards: 2 });
  await fill(server.http, 'c', 0, 20, 4);
  await server.http.put('/collections/c/index?wait=true', { field_name: 'group', field_schema: 'keyword' });
  await server.http.post('/collections/c/shards/0/snapshots?wait=true');
}, 120_000);
afterAll(() => server.dispose());

/** Rows of equal length: jest would pass its `done` for a missing one. */
const REQUESTS: readonly (readonly [string, string, unknown?])[] = [
  ['GET', '/'],
  ['GET', '/collections'],
  ['GET', '/collections/c'],
  ['GET', '/collections/c/exists'],
  ['GET', '/collections/c/cluster'],
  ['GET', '/collections/c/aliases'],
  ['GET', '/collections/c/shards/0/snapshots'],
  ['GET', '/collections/c/snapshots'],
  ['GET', '/collections/c/points/3'],
  ['GET', '/collections/c/points/999'],
  ['GET', '/aliases'],
  ['GET', '/cluster'],
  ['GET', '/telemetry?details_level=4'],
  ['POST', '/collections/c/points', { ids: [1, 2], with_vector: true }],
  ['POST', '/collections/c/points/scroll', { limit: 3, with_vector: true }],
  ['POST', '/collections/c/points/count', { exact: true }],
  ['POST', '/collections/c/points/search', { vector: [1, 2, 3, 4], limit: 3, with_payload: true }],
  ['POST', '/collections/c/points/query', { query: [1, 2, 3, 4], limit: 3, with_vector: true }],
  ['POST', '/collections/c/points/query', { query: [1, 2, 3], limit: 3 }],
  ['POST', '/collections/c/facet', { key: 'group' }],
];

described.each(REQUESTS.map(([method, path, body]) => ({ method, path, body })))(
  '$method $path is as described',
  async ({ method, path, body }) => {
    const response = await fetch(`${server.http.base}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json: unknown = await response.json();
    const spec = loadSpec();
    expect(() => spec?.check(method, path, response.status, [json])).toThrow(ShapeMismatchError);
    spec?.check(method, path, response.status, json);
  },
);

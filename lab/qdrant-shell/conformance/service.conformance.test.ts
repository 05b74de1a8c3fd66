import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { create, fill } from './data';
import { executable, Server } from './server';

const KEY = 'a-key-for-tests';
let server: Server;

beforeAll(async () => {
  server = await Server.start({ apiKey: KEY });
}, 120_000);
afterAll(() => server.dispose());

test('says its version on the command line', async () => {
  const { stdout } = await promisify(execFile)(await executable(), ['--version']);
  expect(stdout.trim()).toMatch(/^qdrant 1\.18\.\d+$/);
});

test('says its title and version at the root, without a key', async () => {
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  expect(await response.json()).toMatchObject({
    title: 'qdrant - vector search engine',
    version: expect.stringMatching(/^1\.18\.\d+$/) as string,
  });
});

test.each([
  ['/healthz', 'healthz check passed'],
  ['/livez', 'healthz check passed'],
  ['/readyz', 'all shards are ready'],
])('answers %s without a key, in plain text', async (path, text) => {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  expect([response.status, await response.text()]).toEqual([200, text]);
});

test.each(['/collections', '/metrics', '/telemetry', '/aliases', '/collections/x/points/1', '/nowhere'])(
  'refuses %s without a key',
  async (path) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    expect(response.status).toBe(401);
    expect(await response.text()).toBe('Must provide an API key or an Authorization bearer token');
  },
);

test('refuses a wrong key', async () => {
  const response = await fetch(`http://127.0.0.1:${server.port}/collections`, {
    headers: { 'api-key': 'other' },
  });
  expect([response.status, await response.text()]).toEqual([401, 'Invalid API key or JWT']);
});

test.each([
  ['api-key', KEY],
  ['authorization', `Bearer ${KEY}`],
])('accepts the key in %s', async (header, value) => {
  const response = await fetch(`http://127.0.0.1:${server.port}/collections`, {
    headers: { [header]: value },
  });
  expect(response.status).toBe(200);
});

test('takes the key from the environment over the file', async () => {
  const other = await Server.start({
    apiKey: 'in-the-file',
    environment: { QDRANT__SERVICE__API_KEY: '12345' },
  });
  try {
    const withFile = await fetch(`${other.http.base}/collections`, { headers: { 'api-key': 'in-the-file' } });
    const withEnvironment = await fetch(`${other.http.base}/collections`, {
      headers: { 'api-key': '12345' },
    });
    expect([withFile.status, withEnvironment.status]).toEqual([401, 200]);
  } finally {
    await other.dispose();
  }
});

test('answers an unknown path with 404 once the key is right', async () => {
  expect((await server.http.get('/nowhere')).status).toBe(404);
});

test('keeps a connection alive over many requests', async () => {
  const response = await fetch(`${server.http.base}/collections`, { headers: server.http.headers });
  expect(response.headers.get('connection')?.toLowerCase()).not.toBe('close');
  await response.text();
});

test('reports collections, points and snapshot activity in its metrics', async () => {
  await create(server.http, 'measured', 4);
  await fill(server.http, 'measured', 0, 10, 4);
  const { status, text } = await server.http.get('/metrics');
  expect(status).toBe(200);
  expect(text).toMatch(/^app_info\{.*version="1\.18\.\d+".*\} 1$/m);
  expect(text).toMatch(/^collections_total 1$/m);
});

test('reports recoveries at the highest level of telemetry', async () => {
  const { result } = await server.http.get<Telemetry>('/telemetry?details_level=4');
  expect(result.app.version).toMatch(/^1\.18\./);
  const measured = result.collections.collections.find((collection) => collection.id === 'measured');
  expect(measured?.shards[0]?.partial_snapshot).toMatchObject({ is_recovering: false });
});

interface Telemetry {
  readonly app: { readonly version: string };
  readonly collections: {
    readonly collections: readonly {
      readonly id: string;
      readonly shards: readonly { readonly partial_snapshot: unknown }[];
    }[];
  };
}

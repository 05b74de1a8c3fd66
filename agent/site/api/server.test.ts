import { connect } from 'node:net';
import { z } from 'zod';
import { SwitchRefusedError } from '../../lease';
import { createLogger } from '../../shared/logger';
import { SkippedError } from '../errors';
import { KeyCheck } from '../keys';
import { QdrantUnreachableError } from '../qdrant/client';
import { ApiServer, MAX_BODY_BYTES, post, type Route } from './server';

let server: ApiServer;
let port: number;
let seen: unknown[];

beforeEach(async () => {
  seen = [];
  const failing = (path: string, error: unknown): Route => ({
    method: 'POST',
    path,
    access: 'operator',
    handle: () => Promise.reject(error),
  });
  const routes: Route[] = [
    { method: 'GET', path: '/open', access: 'open', handle: () => ({ status: 200, body: { open: true } }) },
    {
      method: 'GET',
      path: '/text',
      access: 'operator',
      handle: () => ({ status: 200, text: { type: 'text/plain', content: 'x 1' } }),
    },
    { method: 'POST', path: '/nothing', access: 'peer', handle: () => ({ status: 204 }) },
    post('/echo', 'operator', z.object({ by: z.string() }), (body) => {
      seen.push(body);
      return { status: 200, body };
    }),
    failing('/skipped', new SkippedError('NOT_HOLDER', 'not now')),
    failing('/refused', new SwitchRefusedError('COOLDOWN', 'too soon')),
    failing('/down', new QdrantUnreachableError('Qdrant is down')),
    failing('/fault', new TypeError('a fault')),
  ];
  server = new ApiServer({
    routes,
    logger: createLogger('test', 'silent'),
    keys: { operator: new KeyCheck(['operator-key']), peer: new KeyCheck(['peer-key']) },
  });
  port = await server.listen(0);
});
afterEach(() => server.close());

async function ask(method: string, path: string, options: { key?: string; body?: string } = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: options.key === undefined ? {} : { authorization: `Bearer ${options.key}` },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : null };
}
const code = (answer: { json: { error?: { code: string } } | null }) => answer.json?.error?.code;

it('answers an open path without a key', async () => {
  expect(await ask('GET', '/open')).toMatchObject({ status: 200, json: { open: true } });
  expect((await ask('HEAD', '/open')).status).toBe(200);
});

it.each([
  ['no key', undefined],
  ['an empty key', ''],
  ['the peer’s key', 'peer-key'],
  ['a longer key', 'operator-key-and-more'],
  ['a key of equal length', 'operator-kex'],
])('refuses an operator path with %s', async (_what, key) => {
  const answer = await ask('POST', '/echo', { ...(key === undefined ? {} : { key }), body: '{"by":"me"}' });
  expect(answer.status).toBe(401);
  expect(code(answer)).toBe('UNAUTHORIZED');
  expect(seen).toEqual([]);
});

it('refuses a peer path with the operator’s key', async () => {
  expect((await ask('POST', '/nothing', { key: 'operator-key' })).status).toBe(401);
  expect((await ask('POST', '/nothing', { key: 'peer-key' })).status).toBe(204);
});

it('answers 404 to an unknown path and 405 to a wrong method, as ErrorResponse', async () => {
  expect(await ask('GET', '/elsewhere')).toMatchObject({
    status: 404,
    json: { error: { code: 'NOT_FOUND' } },
  });
  expect(await ask('DELETE', '/open')).toMatchObject({
    status: 405,
    json: { error: { code: 'METHOD_NOT_ALLOWED' } },
  });
  expect((await ask('GET', '/open/')).status).toBe(404);
});

it.each([
  ['is not JSON', '{"by":'],
  ['lacks a field', '{"who":"me"}'],
  ['is empty', ''],
])('refuses a body that %s', async (_what, body) => {
  const answer = await ask('POST', '/echo', { key: 'operator-key', body });
  expect(answer.status).toBe(400);
  expect(code(answer)).toBe('BODY_INVALID');
});

it('refuses a body that is too long, without reading all of it', async () => {
  const body = JSON.stringify({ by: 'x'.repeat(MAX_BODY_BYTES) });
  expect(await ask('POST', '/echo', { key: 'operator-key', body })).toMatchObject({ status: 413 });
});

it('says why a request was skipped, refused or could not be done', async () => {
  const key = 'operator-key';
  expect(await ask('POST', '/skipped', { key })).toMatchObject({
    status: 409,
    json: { skipped: { code: 'NOT_HOLDER' } },
  });
  expect(await ask('POST', '/refused', { key })).toMatchObject({
    status: 409,
    json: { error: { code: 'COOLDOWN' } },
  });
  expect(await ask('POST', '/down', { key })).toMatchObject({
    status: 503,
    json: { error: { code: 'QDRANT_UNREACHABLE' } },
  });
  expect(await ask('POST', '/fault', { key })).toMatchObject({
    status: 500,
    json: { error: { code: 'INTERNAL' } },
  });
});

it('survives a client that is no HTTP client', async () => {
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('data', () => undefined);
  socket.write('\x16\x03\x01 hello\r\n\r\n');
  await closed;
  expect((await ask('GET', '/open')).status).toBe(200);
});

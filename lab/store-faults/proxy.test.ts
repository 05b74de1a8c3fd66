import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { run } from '../../tools/run';
import { faultsIn, StoreProxy } from './proxy';
import type { StoreFaults } from './verdict';

jest.setTimeout(30_000);

const HOST = 'store.test';
let folder: string;
let certificate: string;
let key: string;
let object = { body: 'first', etag: '"1"' };
let faults: StoreFaults = {};
let now = 0;
const servers: Server[] = [];
let proxyPort: number;

const listen = async (server: Server): Promise<number> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'store-proxy-'));
  const [keyFile, certificateFile] = [path.join(folder, 'key'), path.join(folder, 'certificate')];
  const subject = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`];
  const made = ['-keyout', keyFile, '-out', certificateFile];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    ...subject,
    ...made,
  ]);
  certificate = await readFile(certificateFile, 'utf8');
  key = await readFile(keyFile, 'utf8');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  object = { body: 'first', etag: '"1"' };
  faults = {};
  now = 0;
  // A store of one object, with the conditional writes that the lease needs.
  const store = createServer({ cert: certificate, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.method === 'PUT') {
        if (request.headers['if-match'] !== object.etag) return response.writeHead(412).end();
        object = {
          body: Buffer.concat(chunks).toString(),
          etag: `"${Number(object.etag.slice(1, -1)) + 1}"`,
        };
        return response.writeHead(200, { etag: object.etag }).end();
      }
      return response.writeHead(200, { etag: object.etag }).end(object.body);
    });
  });
  const upstreamPort = await listen(store);
  const options = { certificate, key, authority: certificate, host: HOST, upstreamPort };
  proxyPort = await listen(new StoreProxy({ ...options, faults: () => faults, now: () => now }).server());
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** As a client that checks the certificate for the store's name. */
function ask(method: 'GET' | 'PUT', body = '', ifMatch?: string): Promise<[number, string, string]> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      {
        ...{ host: '127.0.0.1', port: proxyPort, servername: HOST, ca: certificate, agent: false },
        ...{ method, path: '/bucket/lease.json' },
        headers: ifMatch === undefined ? {} : { 'if-match': ifMatch },
      },
      (incoming) => {
        let text = '';
        incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
        incoming.on('end', () =>
          resolve([incoming.statusCode ?? 0, String(incoming.headers.etag ?? ''), text]),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

it('is the store itself while nothing is wrong', async () => {
  expect(await ask('GET')).toEqual([200, '"1"', 'first']);
  expect(await ask('PUT', 'second', '"1"')).toEqual([200, '"2"', '']);
  expect(await ask('PUT', 'third', '"1"')).toEqual([412, '', '']);
  expect(object.body).toBe('second');
});

it('acknowledges a write and forgets it', async () => {
  await ask('GET');
  faults = { losesOneOf: 1 };
  const [status, etag] = await ask('PUT', 'second', '"1"');
  expect(status).toBe(200);
  expect(etag).not.toBe('"1"');
  expect(await ask('GET')).toEqual([200, '"1"', 'first']);
  expect(await ask('PUT', 'third', etag)).toEqual([412, '', '']);
});

it('shows what the object was, and judges a write by what it is', async () => {
  await ask('GET');
  now = 10_000;
  await ask('PUT', 'second', '"1"');
  now = 12_000;
  faults = { staleSeconds: 5 };
  expect(await ask('GET')).toEqual([200, '"1"', 'first']);
  expect(await ask('PUT', 'third', '"1"')).toEqual([412, '', '']);
  now = 15_000;
  expect(await ask('GET')).toEqual([200, '"2"', 'second']);
});

it('answers an error to a write that it has carried out', async () => {
  faults = { errors: true };
  expect((await ask('PUT', 'second', '"1"'))[0]).toBe(500);
  expect(object.body).toBe('second');
  expect((await ask('PUT', 'third', '"2"'))[0]).toBe(503);
  expect(object.body).toBe('second');
});

it('reads its faults from a file, and has none where there is no file', async () => {
  const file = path.join(folder, 'faults.json');
  expect(faultsIn(file)).toEqual({});
  await writeFile(file, '{"slowSeconds":1.5}');
  expect(faultsIn(file)).toEqual({ slowSeconds: 1.5 });
});

import { createServer as createPlain, type RequestListener, type Server } from 'node:http';
import { createServer as createTls } from 'node:https';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { scratchFolder } from '../testing/scratch';
import { PeerClient } from './client';

let server: Server;
let client: PeerClient;
let listener: RequestListener;

const listen = (made: Server) =>
  new Promise<number>((resolve) =>
    made.listen(0, '127.0.0.1', () => {
      const address = made.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    }),
  );

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('a peer behind its edge', () => {
  beforeEach(async () => {
    server = createPlain((request, response) => listener(request, response));
    const port = await listen(server);
    client = new PeerClient({
      host: 'eu.example.com',
      addresses: ['192.0.2.1', '127.0.0.1'],
      key: 'peer-key',
      timeoutMs: 300,
      origin: (address) => (address === '127.0.0.1' ? `http://127.0.0.1:${port}` : 'http://127.0.0.1:1'),
    });
  });

  it('is asked by its name, with the peer’s key, at the address that answers', async () => {
    let seen: unknown;
    listener = (request, response) => {
      seen = { host: request.headers.host, key: request.headers.authorization, url: request.url };
      response.end('{"granted":true,"epoch":1}');
    };
    expect(await client.promise({ from: 'uk', epoch: 1 })).toEqual({ granted: true, epoch: 1 });
    expect(seen).toEqual({ host: 'eu.example.com', key: 'Bearer peer-key', url: '/peer/promise' });
  });

  it('is given the key before it while it does not know the new one, and only then', async () => {
    await client.close();
    const { port } = server.address() as AddressInfo;
    client = new PeerClient({
      host: 'eu.example.com',
      addresses: ['127.0.0.1'],
      key: 'new-key\nold-key\n',
      timeoutMs: 300,
      origin: () => `http://127.0.0.1:${port}`,
    });
    const seen: unknown[] = [];
    let known = 'Bearer old-key';
    listener = (request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(request.headers.authorization === known ? 204 : 401).end();
    };
    await client.wake();
    known = 'Bearer new-key';
    await client.wake();
    expect(seen).toEqual(['Bearer new-key', 'Bearer old-key', 'Bearer new-key']);
    known = 'another';
    await expect(client.wake()).rejects.toMatchObject({ code: 'PEER_REFUSED', status: 401 });
  });

  it('is woken without an answer', async () => {
    listener = (_request, response) => void response.writeHead(204).end();
    await expect(client.wake()).resolves.toBeUndefined();
  });

  it('is unreachable when it does not answer in time', async () => {
    listener = () => undefined;
    await expect(client.status()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
  });

  it('is unreachable when its edge answers for an agent that is down', async () => {
    listener = (_request, response) =>
      void response
        .writeHead(503)
        .end('{"error":{"code":"unavailable","message":"Nothing can answer this now."}}');
    await expect(client.status()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
  });

  it.each([
    [409, '{"skipped":{"code":"NOT_LATEST","message":"x"}}'],
    [503, '{"error":{"code":"QDRANT_UNREACHABLE","message":"x"}}'],
    [401, '{"error":{"code":"UNAUTHORIZED","message":"x"}}'],
  ])('has refused when its agent answers %d', async (status, body) => {
    listener = (_request, response) => void response.writeHead(status).end(body);
    await expect(client.apply('p1', 300)).rejects.toMatchObject({ code: 'PEER_REFUSED', status });
  });
});

describe('trap 18: a certificate that is not checked is none', () => {
  let folder: string;
  let port: number;
  beforeEach(async () => {
    folder = mkdtempSync(join(scratchFolder(), 'peer-'));
    const file = (name: string) => join(folder, name);
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-keyout', file('key'), '-out', file('certificate'), '-subj', '/CN=eu.example.com'],
        ...['-addext', 'subjectAltName=DNS:eu.example.com'],
      ],
      { stdio: 'ignore' },
    );
    server = createTls(
      { key: readFileSync(file('key')), cert: readFileSync(file('certificate')) },
      (request, response) => {
        response.end(
          JSON.stringify({ granted: true, epoch: 1, name: (request.socket as TLSSocket).servername }),
        );
      },
    );
    port = await listen(server);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const clientFor = (host: string, caCertificate?: string) =>
    new PeerClient({
      host,
      addresses: ['127.0.0.1'],
      key: 'k',
      timeoutMs: 2_000,
      origin: (address) => `https://${address}:${port}`,
      ...(caCertificate === undefined ? {} : { caCertificate }),
    });
  const authority = () => readFileSync(join(folder, 'certificate'), 'utf8');

  it('is asked for by name although it is reached by address', async () => {
    client = clientFor('eu.example.com', authority());
    expect(await client.promise({ from: 'uk', epoch: 1 })).toMatchObject({
      granted: true,
      name: 'eu.example.com',
    });
  });

  it('is unreachable under another name, and without the authority', async () => {
    client = clientFor('us.example.com', authority());
    await expect(client.status()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
    await client.close();
    client = clientFor('eu.example.com');
    await expect(client.status()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
  });
});

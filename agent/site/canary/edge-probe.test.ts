import * as fs from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { makeCertificates } from '../../host/edge/testing/haproxy-process';
import { EdgeProbe } from './edge-probe';

let folder: string;
let ca: string;
let pem: string;
let server: Server | null = null;

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-probe-'));
  const files = makeCertificates(folder);
  ca = fs.readFileSync(files.ca, 'utf8');
  pem = files.pem;
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

async function probe(answer: RequestListener, about: { siteHost?: string; ca?: string } = {}) {
  const listening = createServer({ cert: pem, key: pem }, answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as AddressInfo;
  const caCertificate = about.ca ?? ca;
  return new EdgeProbe({
    siteHost: about.siteHost ?? 'uk.test',
    port,
    timeoutMs: 300,
    caCertificate,
  }).probe();
}
const ready =
  (status: number, body: string): RequestListener =>
  (_request, response) => {
    response.writeHead(status).end(body);
  };

it.each([
  [200, '{"ready":true,"site":"uk","reasons":[]}'],
  [503, '{"ready":false,"site":"uk","reasons":[]}'],
])(
  'is well when the agent answers %s through it: what that says is not the edge’s matter',
  async (status, body) => {
    expect(await probe(ready(status, body))).toMatchObject({ outcome: 'ok' });
  },
);

it('fails when the edge answers in place of the agent', async () => {
  expect(await probe(ready(503, '{"error":{"code":"unavailable"}}'))).toMatchObject({ outcome: 'failed' });
});

it('fails when it accepts and never answers', async () => {
  const result = await probe(() => undefined);
  expect(result).toMatchObject({
    outcome: 'failed',
    detail: expect.stringContaining('does not answer') as string,
  });
});

it('trap 20: fails where the certificate would be refused by clients, which DNS health checks do not see', async () => {
  const good = ready(200, '{"ready":true}');
  expect(await probe(good, { siteHost: 'elsewhere.example' })).toMatchObject({ outcome: 'failed' });
});

it('fails when nobody listens', async () => {
  await probe(ready(200, '{}'));
  const { port } = (server as unknown as Server).address() as AddressInfo;
  await new Promise((resolve) => (server as unknown as Server).close(resolve));
  server = null;
  const gone = new EdgeProbe({ siteHost: 'uk.test', port, timeoutMs: 300, caCertificate: ca });
  expect(await gone.probe()).toMatchObject({
    outcome: 'failed',
    detail: expect.stringContaining('ECONNREFUSED') as string,
  });
});

import * as fs from 'node:fs';
import * as https from 'node:https';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tls from 'node:tls';
import { once } from 'node:events';
import { EdgeClient } from './testing/client';
import {
  CLIENT_KEY,
  freePort,
  haproxyMissing,
  makeCertificates,
  QDRANT_KEY,
  type SiteBench,
  startSite,
  VLLM_KEY,
  waitUntil,
} from './testing/haproxy-process';
import { RealHost } from '../real-host';
import { replaceList } from './live-lists';
import type { FakeUpstream } from './testing/fake-upstream';

const missing = haproxyMissing();
const describeWithHaproxy = missing === null ? describe : describe.skip;
const keyed = { authorization: `Bearer ${CLIENT_KEY}` };

describeWithHaproxy(`the edge with a real HAProxy${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  let ca: string;
  let uk: SiteBench;
  let eu: SiteBench;
  let ukClient: EdgeClient;

  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'edge-'));
    const certificates = makeCertificates(folder);
    ca = fs.readFileSync(certificates.ca, 'utf8');
    const [ukPort, euPort] = [await freePort(), await freePort()];
    uk = await startSite({
      folder,
      site: 'uk-primary',
      host: 'uk.test',
      port: ukPort,
      peerHost: 'eu.test',
      peerPort: euPort,
      certificates,
    });
    eu = await startSite({
      folder,
      site: 'eu-standby',
      host: 'eu.test',
      port: euPort,
      peerHost: 'uk.test',
      peerPort: ukPort,
      certificates,
    });
    ukClient = new EdgeClient(ukPort, ca);
  }, 30_000);

  afterAll(async () => {
    await uk?.stop();
    await eu?.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  /** UK active, EU standby, everything up, nothing seen yet. */
  beforeEach(async () => {
    for (const site of [uk, eu]) {
      for (const upstream of [site.agent.upstream, site.engine, site.qdrant, site.gateway]) {
        await upstream.stop();
        await upstream.revive();
      }
      for (const upstream of [site.engine, site.qdrant, site.gateway]) {
        upstream.answer = (_request, response) => response.end(`${upstream.name}\n`);
      }
    }
    uk.agent.serve(true);
    eu.agent.serve(false);
    await settled('qdrant', '/collections');
    await settled('engine', '/v1/models');
    await waitUntil(
      'the gateway is used',
      async () => (await ukClient.ask('/aliases', { method: 'PUT', headers: keyed })).status === 200,
    );
    await waitUntil('EU passes on to UK', async () => {
      const answer = await new EdgeClient(eu.port, ca).ask('/collections', { headers: keyed });
      return answer.headers['x-failover-site'] === 'uk-primary';
    });
    for (const site of [uk, eu]) {
      for (const upstream of [site.agent.upstream, site.engine, site.qdrant, site.gateway])
        upstream.seen.length = 0;
    }
  }, 30_000);

  const settled = (name: string, url: string): Promise<void> =>
    waitUntil(`UK serves ${url} itself`, async () => {
      const answer = await ukClient.ask(url, { headers: keyed });
      return (
        answer.status === 200 &&
        answer.body === `${name}\n` &&
        answer.headers['x-failover-site'] === 'uk-primary'
      );
    });
  const everywhere = (): FakeUpstream[] =>
    [uk, eu].flatMap((site) => [site.agent.upstream, site.engine, site.qdrant, site.gateway]);

  describe('keys', () => {
    it.each([
      ['no key', {}],
      ['a wrong bearer', { authorization: 'Bearer wrong' }],
      ['a wrong api-key', { 'api-key': 'wrong' }],
      ['the key in another scheme', { authorization: `Basic ${CLIENT_KEY}` }],
      ['an upstream key', { 'api-key': QDRANT_KEY }],
      ['the key with more behind it', { 'api-key': `${CLIENT_KEY}0` }],
    ])('answers 401 and lets nothing through when the request has %s', async (_what, headers) => {
      for (const url of ['/v1/models', '/collections', '/collections/a/points']) {
        const answer = await ukClient.ask(url, { headers });
        expect(answer.status).toBe(401);
        expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'unauthorized' } });
        expect(answer.headers['www-authenticate']).toBe('Bearer');
      }
      expect(everywhere().flatMap(({ seen }) => seen)).toEqual([]);
    });

    it.each([
      ['Authorization: Bearer', keyed],
      ['api-key', { 'api-key': CLIENT_KEY }],
    ])('replaces the key given as %s by the upstream’s own', async (_what, headers) => {
      await ukClient.ask('/v1/models', { headers });
      expect(uk.engine.seen[0]?.headers.authorization).toBe(`Bearer ${VLLM_KEY}`);
      await ukClient.ask('/collections', { headers });
      expect(uk.qdrant.seen[0]?.headers['api-key']).toBe(QDRANT_KEY);
      await ukClient.ask('/collections/a', { headers, method: 'PUT' });
      expect(uk.gateway.seen[0]?.headers['api-key']).toBe(QDRANT_KEY);
      const behind = everywhere().flatMap(({ seen }) => seen);
      expect(behind).toHaveLength(3);
      expect(JSON.stringify(behind)).not.toContain(CLIENT_KEY);
    });
  });

  describe('rotation of client keys', () => {
    const NEW_KEY = 'client-key;with"odd"\\signs=';
    const statusWith = async (key: string, agent?: https.Agent): Promise<number> =>
      (await ukClient.ask('/v1/models', { headers: { 'api-key': key }, ...(agent && { agent }) })).status;
    const bearer = async (key: string): Promise<number> =>
      (await ukClient.ask('/v1/models', { headers: { authorization: `Bearer ${key}` } })).status;

    afterEach(async () => {
      expect(await uk.rotate(CLIENT_KEY)).toBeNull();
    });

    it('lets the new key in and the old one out at once, and a stream under way goes on through both', async () => {
      let send: ((text: string) => void) | undefined;
      let finish: (() => void) | undefined;
      uk.engine.answer = (_request, response) => {
        response.setHeader('content-type', 'text/event-stream');
        send = (text) => response.write(text);
        finish = () => response.end('the end');
        send('one,');
      };
      const response = await ukClient.open('/v1/completions', { method: 'POST', headers: keyed, body: '{}' });
      const parts = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
      const next = async (): Promise<string> => String((await parts.next()).value);
      expect(await next()).toBe('one,');
      uk.engine.answer = (_request, other) => other.end();

      expect(await statusWith(NEW_KEY)).toBe(401);
      expect(await uk.rotate(NEW_KEY, CLIENT_KEY)).toBeNull();
      for (const key of [NEW_KEY, CLIENT_KEY])
        expect([await statusWith(key), await bearer(key)]).toEqual([200, 200]);
      send?.('two,');
      expect(await next()).toBe('two,');

      expect(await uk.rotate(NEW_KEY)).toBeNull();
      expect([await statusWith(CLIENT_KEY), await bearer(CLIENT_KEY)]).toEqual([401, 401]);
      expect([await statusWith(NEW_KEY), await bearer(NEW_KEY)]).toEqual([200, 200]);
      send?.('three,');
      expect(await next()).toBe('three,');
      finish?.();
      expect(await next()).toBe('the end');
      expect((await parts.next()).done).toBe(true);
    });

    it('refuses the old key on a connection that it opened, and leaves the connection', async () => {
      const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
      try {
        expect(await statusWith(CLIENT_KEY, agent)).toBe(200);
        const [socket] = Object.values(agent.freeSockets).flat();
        expect(await uk.rotate(NEW_KEY)).toBeNull();
        expect(await statusWith(CLIENT_KEY, agent)).toBe(401);
        expect(await statusWith(NEW_KEY, agent)).toBe(200);
        expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
      } finally {
        agent.destroy();
      }
    });

    it('leaves the site fenced that is: reads under way are cut afterwards too', async () => {
      uk.qdrant.answer = (_request, response) => {
        response.write('half');
      };
      const response = await ukClient.open('/collections', { headers: keyed });
      await once(response, 'data');
      const cut = once(response, 'error') as Promise<[Error]>;
      response.resume();
      expect(await uk.rotate(NEW_KEY, CLIENT_KEY)).toBeNull();
      uk.agent.serve(false);
      expect((await cut)[0].message).toBe('aborted');
    });

    it('is kept by a reload, which answers every request of a good key and ends no stream either', async () => {
      expect(await uk.rotate(NEW_KEY, CLIENT_KEY)).toBeNull();
      let finish: (() => void) | undefined;
      uk.engine.answer = (_request, response) => {
        response.write('half');
        finish = () => response.end(' and the rest');
      };
      const stream = await ukClient.open('/v1/completions', { method: 'POST', headers: keyed, body: '{}' });
      uk.engine.answer = (_request, other) => other.end();
      const seen = new Map<number | string, number>();
      const knock = async (): Promise<void> => {
        for (let asked = 0; asked < 100; asked++) {
          const outcome = await statusWith(CLIENT_KEY).catch((error: Error) => error.message);
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        }
      };
      const clients = [knock(), knock()];
      const before = await uk.workers();
      uk.reload();
      await waitUntil('another worker answers', async () => (await uk.workers()) !== before);
      await Promise.all(clients);
      expect([...seen]).toEqual([[200, 200]]);
      expect(await statusWith(NEW_KEY)).toBe(200);
      finish?.();
      let body = '';
      for await (const chunk of stream) body += String(chunk);
      expect(body).toBe('half and the rest');
    });

    it('says why it could not be, without a key', async () => {
      const file = path.join(folder, 'other-keys');
      fs.writeFileSync(file, `${NEW_KEY}\n`);
      const host = new RealHost();
      const list = { kind: 'acl', file, name: file } as const;
      const socket = path.join(folder, 'uk-primary', 'admin.sock');
      expect(await replaceList(host, socket, list)).toBe(`HAProxy knows no acl ${file}`);
      expect(await replaceList(host, path.join(folder, 'none.sock'), list)).toMatch(/ENOENT/);
      fs.writeFileSync(file, '');
      expect(await replaceList(host, socket, list)).toBe(`${file} is empty`);
    });
  });

  it('gives what is behind it their new keys without a reload', async () => {
    expect(await uk.rotateUpstream('qdrant-key\\2', VLLM_KEY)).toBeNull();
    await ukClient.ask('/collections', { headers: keyed });
    expect(uk.qdrant.seen[0]?.headers['api-key']).toBe('qdrant-key\\2');
    expect(await uk.rotateUpstream(QDRANT_KEY, VLLM_KEY)).toBeNull();
    await ukClient.ask('/collections', { headers: keyed });
    expect(uk.qdrant.seen[1]?.headers['api-key']).toBe(QDRANT_KEY);
  });

  describe('the allow-list', () => {
    it.each([
      '/tokenize',
      '/pause',
      '/update_weights',
      '/invocations',
      '/detokenize',
      '/health',
      '/version',
      '/docs',
    ])('trap 5: %s of the engine is not there', async (url) => {
      for (const method of ['GET', 'POST']) {
        const answer = await ukClient.ask(url, { method, headers: keyed });
        expect(answer.status).toBe(404);
      }
      expect(everywhere().flatMap(({ seen }) => seen)).toEqual([]);
    });

    it('trap 5: /metrics is the agent’s own, never the engine’s', async () => {
      const answer = await ukClient.ask('/metrics', { headers: { authorization: 'Bearer operator' } });
      expect(answer.body).toBe('agent\n');
      expect(uk.agent.upstream.seen[0]?.headers.authorization).toBe('Bearer operator');
      expect(uk.engine.seen).toEqual([]);
    });

    it.each([
      '/',
      '/snapshots',
      '/telemetry',
      '/cluster',
      '/collections/a/snapshots',
      '/collections/a/shards/0/snapshots',
      '/collections/a%2Fsnapshots',
      '/collections/a/points/%2e%2e/snapshots',
      '/v1/../tokenize',
      '/v1//../tokenize',
      '/v1/%2e%2e/tokenize',
      '/edge/inference',
      '//readyz',
    ])('answers 404 to %s and lets nothing through', async (url) => {
      const answer = await ukClient.ask(url, { headers: keyed });
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'not-found' } });
      expect(everywhere().flatMap(({ seen }) => seen)).toEqual([]);
    });

    it('lets only the peer’s addresses reach /peer/', async () => {
      expect((await ukClient.ask('/peer/status', { localAddress: '127.0.0.2' })).status).toBe(404);
      expect((await ukClient.ask('/peer/status', { localAddress: '127.0.0.1' })).body).toBe('agent\n');
    });

    it('shows readiness without a key', async () => {
      expect((await ukClient.ask('/readyz')).body).toBe('agent\n');
    });
  });

  describe('reads and writes', () => {
    it.each([
      ['GET', '/collections', 'qdrant'],
      ['GET', '/aliases', 'qdrant'],
      ['GET', '/collections/a', 'qdrant'],
      ['GET', '/collections/a/points/7', 'qdrant'],
      ['POST', '/collections/a/points', 'qdrant'],
      ['POST', '/collections/a/points/query', 'qdrant'],
      ['POST', '/collections/a/points/search/matrix/pairs', 'qdrant'],
      ['POST', '/collections/a/points/scroll?consistency=all', 'qdrant'],
      ['PUT', '/collections/a', 'gateway'],
      ['DELETE', '/collections/a', 'gateway'],
      ['PUT', '/collections/a/points?wait=true', 'gateway'],
      ['POST', '/collections/a/points/delete', 'gateway'],
      ['POST', '/collections/a/points/payload', 'gateway'],
      ['POST', '/collections/aliases', 'gateway'],
      ['POST', '/collections/a/points/some-future-action', 'gateway'],
      ['POST', '/v1/chat/completions', 'engine'],
    ])('takes %s %s to the %s', async (method, url, expected) => {
      const answer = await ukClient.ask(url, {
        method,
        headers: keyed,
        ...(method === 'GET' ? {} : { body: '{}' }),
      });
      expect(answer.body).toBe(`${expected}\n`);
      expect(everywhere().flatMap(({ name, seen }) => seen.map(() => name))).toEqual([expected]);
    });
  });

  it('passes a stream on chunk by chunk, as it is sent', async () => {
    let sendSecond: (() => void) | undefined;
    uk.engine.answer = (_request, response) => {
      response.setHeader('content-type', 'text/event-stream');
      response.write('data: one\n\n');
      sendSecond = () => response.end('data: two\n\n');
    };
    const response = await ukClient.open('/v1/chat/completions', {
      method: 'POST',
      headers: keyed,
      body: '{}',
    });
    // The second event is sent only after the first has arrived: a buffering edge would never get here.
    const events = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    expect(String((await events.next()).value)).toBe('data: one\n\n');
    sendSecond?.();
    expect(String((await events.next()).value)).toBe('data: two\n\n');
    expect((await events.next()).done).toBe(true);
  });

  describe('passing on to the peer', () => {
    it('trap 23: a client with stale DNS gets its answer from the active site', async () => {
      const euClient = new EdgeClient(eu.port, ca);
      const models = await euClient.ask('/v1/models', { headers: keyed });
      expect([models.status, models.headers['x-failover-site'], models.body]).toEqual([
        200,
        'uk-primary',
        'engine\n',
      ]);
      const read = await euClient.ask('/collections/a/points/query', {
        method: 'POST',
        headers: keyed,
        body: '{}',
      });
      expect([read.status, read.headers['x-failover-site'], read.body]).toEqual([
        200,
        'uk-primary',
        'qdrant\n',
      ]);
      expect([...eu.engine.seen, ...eu.qdrant.seen]).toEqual([]);
      // The mark that prevents loops is for edges only.
      expect(uk.engine.seen[0]?.headers['x-failover-via']).toBeUndefined();
    });

    it('trap 23: a site that does not serve closes its clients’ connections', async () => {
      const agent = new https.Agent({ keepAlive: true });
      try {
        const answer = await new EdgeClient(eu.port, ca).ask('/v1/models', { headers: keyed, agent });
        expect(answer.status).toBe(200);
        expect(answer.headers.connection).toBe('close');
        expect(Object.values(agent.freeSockets)).toEqual([]);
      } finally {
        agent.destroy();
      }
    });

    it('keeps the connections of the active site open', async () => {
      const agent = new https.Agent({ keepAlive: true });
      try {
        const answer = await ukClient.ask('/v1/models', { headers: keyed, agent });
        expect(answer.headers.connection).not.toBe('close');
      } finally {
        agent.destroy();
      }
    });

    it('trap 23: offers no HTTP/2, whose connections HAProxy could not ask to end', async () => {
      const socket = tls.connect({
        host: '127.0.0.1',
        port: eu.port,
        ca,
        servername: 'api.test',
        ALPNProtocols: ['h2', 'http/1.1'],
      });
      await once(socket, 'secureConnect');
      expect(socket.alpnProtocol).toBe('http/1.1');
      socket.destroy();
    });

    it('never passes a write on: the local gateway answers it', async () => {
      eu.gateway.answer = (_request, response) => {
        response.statusCode = 503;
        response.end('not the holder\n');
      };
      const answer = await new EdgeClient(eu.port, ca).ask('/collections/a/points', {
        method: 'PUT',
        headers: keyed,
      });
      expect([answer.status, answer.body]).toEqual([503, 'not the holder\n']);
      expect(uk.gateway.seen).toEqual([]);
    });

    it('never loops: with no site serving, an engine that runs answers once and reads get 503', async () => {
      uk.agent.serve(false);
      await waitUntil('UK asks EU', async () => {
        const models = await ukClient.ask('/v1/models', { headers: keyed });
        const read = await ukClient.ask('/collections', { headers: keyed });
        return models.headers['x-failover-site'] === 'eu-standby' && read.status === 503;
      });
      for (const site of [uk, eu]) site.qdrant.seen.length = 0;
      const before = eu.engine.seen.length;
      const models = await ukClient.ask('/v1/models', { headers: keyed });
      expect([models.status, models.headers['x-failover-site']]).toEqual([200, 'eu-standby']);
      expect(eu.engine.seen.length).toBe(before + 1);
      const read = await ukClient.ask('/collections', { headers: keyed });
      expect(read.status).toBe(503);
      expect(read.headers['retry-after']).toBe('1');
      expect(JSON.parse(read.body)).toMatchObject({ error: { code: 'no-site-serves' } });
      expect([...uk.qdrant.seen, ...eu.qdrant.seen]).toEqual([]);
    });

    it('answers 503 when no engine runs anywhere', async () => {
      uk.agent.serve(false);
      await uk.engine.stop();
      await eu.engine.stop();
      await waitUntil('nothing answers', async () => {
        const answer = await ukClient.ask('/v1/models', { headers: keyed });
        return answer.status === 503 && answer.body.includes('no-site-serves');
      });
    });
  });

  describe('fencing', () => {
    it('cuts reads that are under way when the site stops serving', async () => {
      uk.qdrant.answer = (_request, response) => {
        response.write('half');
      };
      const response = await ukClient.open('/collections', { headers: keyed });
      await once(response, 'data');
      const cut = once(response, 'error') as Promise<[Error]>;
      response.resume();
      uk.agent.serve(false);
      const [error] = await cut;
      expect(error.message).toBe('aborted');
      expect(response.complete).toBe(false);
    });

    it('lets a generation that is under way finish', async () => {
      let finish: (() => void) | undefined;
      uk.engine.answer = (_request, response) => {
        response.write('half');
        finish = () => response.end(' and the rest');
      };
      const response = await ukClient.open('/v1/completions', { method: 'POST', headers: keyed, body: '{}' });
      uk.agent.serve(false);
      await waitUntil('new requests go elsewhere', async () => {
        const answer = await ukClient.ask('/collections', { headers: keyed });
        return answer.status === 503;
      });
      finish?.();
      let body = '';
      for await (const chunk of response) body += String(chunk);
      expect(body).toBe('half and the rest');
    });

    it('turns within two seconds of the agent’s verdict', async () => {
      const started = Date.now();
      uk.agent.serve(false);
      eu.agent.serve(true);
      await waitUntil('reads come from EU', async () => {
        const answer = await ukClient.ask('/collections', { headers: keyed });
        return answer.headers['x-failover-site'] === 'eu-standby' && answer.status === 200;
      });
      expect(Date.now() - started).toBeLessThan(2000);
    });
  });

  describe('a dead engine', () => {
    // 500 ms until the next check, two more 250 ms later (fastinter, fall 2), and this test's own asking.
    it('is passed by within a second and a half, long before the agent’s verdict', async () => {
      await uk.engine.stop();
      const died = Date.now();
      await waitUntil('completions come from EU', async () => {
        const answer = await ukClient.ask('/v1/models', { headers: keyed });
        return answer.status === 200 && answer.headers['x-failover-site'] === 'eu-standby';
      });
      expect(Date.now() - died).toBeLessThan(1500);
      expect(uk.agent.inference).toBe(true);
    });
  });

  describe('a dead agent', () => {
    it('sends reads and generations to the peer and refuses writes', async () => {
      eu.agent.serve(true);
      await uk.agent.upstream.stop();
      await uk.gateway.stop();
      for (const url of ['/collections', '/v1/models']) {
        await waitUntil(`EU answers ${url}`, async () => {
          const answer = await ukClient.ask(url, { headers: keyed });
          return answer.status === 200 && answer.headers['x-failover-site'] === 'eu-standby';
        });
      }
      const write = await ukClient.ask('/collections/a/points', {
        method: 'PUT',
        headers: keyed,
        body: '{}',
      });
      expect(write.status).toBe(503);
      expect(JSON.parse(write.body)).toHaveProperty('error.code');
      expect(write.headers['retry-after']).toBe('1');
      expect(write.headers['x-failover-site']).toBe('uk-primary');
      const ready = await ukClient.ask('/readyz');
      expect(ready.status).toBe(503);
      expect(ready.body).not.toContain('"ready":true');
    });
  });

  it('names its site on every answer, its own refusals included', async () => {
    for (const [url, status] of [
      ['/readyz', 200],
      ['/nothing', 404],
      ['/v1/models', 401],
    ] as const) {
      const answer = await ukClient.ask(url);
      expect([answer.status, answer.headers['x-failover-site']]).toEqual([status, 'uk-primary']);
    }
  });
});

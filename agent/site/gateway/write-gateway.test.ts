import { request as httpRequest } from 'node:http';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { KeyCheck } from '../keys';
import { FakeKeeper } from '../testing/fake-keeper';
import { WriteGate } from './write-gate';
import { WriteGateway } from './write-gateway';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

let upstream: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let seen: Seen[];
let gateway: WriteGateway;
let keeper: FakeKeeper;
let gate: WriteGate;
let applying: boolean;
let counted: { acknowledged: number; refused: string[] };
let port: number;
let observed: { body: string; inFlightAtEnd: number }[];

beforeEach(async () => {
  seen = [];
  answer = (_request, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json', 'x-upstream': 'yes' })
      .end('{"status":"ok"}');
  };
  upstream = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const address = upstream.address();
  keeper = new FakeKeeper('uk');
  gate = new WriteGate({ maxWaiting: 2 });
  applying = false;
  observed = [];
  counted = { acknowledged: 0, refused: [] };
  gateway = new WriteGateway({
    site: 'uk',
    keeper,
    gate,
    keys: new KeyCheck(['edge-key']),
    upstream: {
      port: typeof address === 'object' && address !== null ? address.port : 0,
      apiKey: 'qdrant-key',
    },
    isApplying: () => applying,
    observe: () => {
      const chunks: Uint8Array[] = [];
      return {
        forwarded: (chunk) => void chunks.push(chunk),
        ended: () =>
          observed.push({ body: Buffer.concat(chunks).toString('utf8'), inFlightAtEnd: gate.writesInFlight }),
      };
    },
    counters: {
      acknowledged: () => (counted.acknowledged += 1),
      refused: (code) => void counted.refused.push(code),
      seconds: () => undefined,
    },
  });
  port = await gateway.listen(0);
});

afterEach(async () => {
  upstream.closeAllConnections();
  await gateway.close();
  await new Promise((resolve) => upstream.close(resolve));
});

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
  code: string | null;
}

function send(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = { 'api-key': 'edge-key' },
) {
  return new Promise<Answer>((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, method, path, headers, agent: false },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('error', reject);
        response.on('end', () => {
          const code = /"code":"([A-Z_]+)"/.exec(text)?.[1] ?? null;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, code });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

const upsert = () => send('PUT', '/collections/docs/points?wait=true', '{"points":[]}');

/** Resolves when the upstream has the request, which it answers once `release` is called. */
function heldUpstream(): { arrived: Promise<void>; release: () => void } {
  let release: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    const before = answer;
    answer = (request, response) => {
      release = () => before(request, response);
      resolve();
    };
  });
  return { arrived, release: () => release() };
}

describe('write gateway', () => {
  it('passes a write on with its query and body, with Qdrant’s key, and names site and epoch', async () => {
    const { status, headers, body } = await upsert();
    expect(status).toBe(200);
    expect(body).toBe('{"status":"ok"}');
    expect(headers).toMatchObject({ 'x-failover-site': 'uk', 'x-failover-epoch': '1', 'x-upstream': 'yes' });
    expect(seen[0]).toMatchObject({
      method: 'PUT',
      url: '/collections/docs/points?wait=true',
      body: '{"points":[]}',
    });
    expect(seen[0]?.headers['api-key']).toBe('qdrant-key');
    expect(counted).toEqual({ acknowledged: 1, refused: [] });
  });

  it('passes a body of unknown length on', async () => {
    const headers = { authorization: 'Bearer edge-key', 'transfer-encoding': 'chunked' };
    const { status } = await send('PUT', '/collections/docs/points', 'x'.repeat(300_000), headers);
    expect(status).toBe(200);
    expect(seen[0]?.body).toHaveLength(300_000);
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  it.each([
    ['no key', {}],
    ['a wrong key', { 'api-key': 'edge-kex' }],
    ['an empty key', { authorization: 'Bearer ' }],
  ])('refuses a write with %s', async (_what, headers) => {
    expect((await send('PUT', '/collections/docs/points', '{}', headers)).status).toBe(401);
    expect(seen).toEqual([]);
  });

  it('passes Qdrant’s refusal on as it is', async () => {
    answer = (_request, response) => void response.writeHead(400).end('{"status":{"error":"wrong vector"}}');
    const { status, body } = await upsert();
    expect(status).toBe(400);
    expect(body).toContain('wrong vector');
    expect(counted.acknowledged).toBe(0);
  });

  it('refuses and names the active site when another site holds the lease', async () => {
    keeper.holder = 'eu';
    const refused = await upsert();
    expect(refused).toMatchObject({ status: 503, code: 'NOT_HOLDER' });
    expect(refused.body).toContain('eu');
    expect(refused.headers).toMatchObject({
      'retry-after': '1',
      'x-failover-active': 'eu',
      'x-failover-site': 'uk',
    });
    expect(seen).toEqual([]);
  });

  it('refuses while writes are held for a hand-over and while data is being applied', async () => {
    keeper.writesHeld = true;
    expect(await upsert()).toMatchObject({ status: 503, code: 'WRITES_PAUSED' });
    keeper.writesHeld = false;
    applying = true;
    expect(await upsert()).toMatchObject({ status: 503, code: 'WRITES_PAUSED' });
    expect(seen).toEqual([]);
  });

  it('says that nothing was written when Qdrant is down', async () => {
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
    expect(await upsert()).toMatchObject({ status: 503, code: 'VECTORS_UNREACHABLE' });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  });

  it('calls the outcome unknown when Qdrant hangs up after it had the write', async () => {
    answer = (request) => void request.socket.destroy();
    expect(await upsert()).toMatchObject({ status: 503, code: 'WRITE_OUTCOME_UNKNOWN' });
    expect(counted.acknowledged).toBe(0);
  });
});

describe('trap 26: a lease alone is not mutual exclusion', () => {
  it.each([
    ['the lease runs out', () => (keeper.expired = true)],
    ['the lease goes to the peer', () => (keeper.holder = 'eu')],
    ['the lease was lost and won again', () => (keeper.leaseEpoch = 3)],
  ])('does not acknowledge a write during which %s', async (_what, change) => {
    const { arrived, release } = heldUpstream();
    const answered = upsert();
    await arrived;
    change();
    release();
    expect(await answered).toMatchObject({ status: 503, code: 'WRITE_OUTCOME_UNKNOWN' });
    expect(counted.acknowledged).toBe(0);
  });

  it('still confirms a write that was let in before a planned switch began', async () => {
    const { arrived, release } = heldUpstream();
    const answered = upsert();
    await arrived;
    keeper.writesHeld = true;
    release();
    expect((await answered).status).toBe(200);
  });

  it('does not confirm a write that missed the last publish', async () => {
    const { arrived, release } = heldUpstream();
    const answered = upsert();
    await arrived;
    expect(gate.revokeInFlight()).toBe(1);
    release();
    expect(await answered).toMatchObject({ status: 503, code: 'WRITE_OUTCOME_UNKNOWN' });
  });
});

describe('writes while snapshots are cut', () => {
  it('wait and are done when the hold ends', async () => {
    const hold = gate.hold(5_000, 0);
    const answered = upsert();
    await until(() => gate.writesWaiting === 1);
    expect(seen).toEqual([]);
    hold.release();
    expect((await answered).status).toBe(200);
  });

  it('are let go when the bound of the hold passes', async () => {
    const hold = gate.hold(20, 0);
    expect((await upsert()).status).toBe(200);
    expect(hold.inForce).toBe(false);
  });

  it('are refused when the lease was lost while they waited', async () => {
    const hold = gate.hold(5_000, 0);
    const answered = upsert();
    await until(() => gate.writesWaiting === 1);
    keeper.holder = 'eu';
    hold.release();
    expect(await answered).toMatchObject({ status: 503, code: 'NOT_HOLDER' });
    expect(seen).toEqual([]);
  });

  it('are refused when too many wait already', async () => {
    const hold = gate.hold(5_000, 0);
    const waiting = [upsert(), upsert()];
    await until(() => gate.writesWaiting === 2);
    expect(await upsert()).toMatchObject({ status: 503, code: 'WRITE_QUEUE_FULL' });
    hold.release();
    for (const one of waiting) expect((await one).status).toBe(200);
  });

  it('are waited for when they were in flight, up to the bound', async () => {
    const { arrived, release } = heldUpstream();
    const answered = upsert();
    await arrived;
    const late = gate.hold(5_000, 10);
    expect(await late.drained).toBe(false);
    late.release();
    const hold = gate.hold(5_000, 5_000);
    release();
    expect(await hold.drained).toBe(true);
    hold.release();
    await answered;
  });

  it('shows an observer the whole body, and its end before the write counts as ended', async () => {
    const body = JSON.stringify({
      points: Array.from({ length: 20_000 }, (_, id) => ({ id, vector: [id] })),
    });
    expect((await send('PUT', '/collections/docs/points', body)).status).toBe(200);
    expect(observed).toEqual([{ body, inFlightAtEnd: 1 }]);
    expect(gate.writesInFlight).toBe(0);
  });

  it('tells an observer of the end of a write whose outcome is not known', async () => {
    answer = (request) => void request.socket.destroy();
    expect((await send('PUT', '/collections/docs/points', '{"points":[]}')).code).toBe(
      'WRITE_OUTCOME_UNKNOWN',
    );
    expect(observed).toEqual([{ body: '{"points":[]}', inFlightAtEnd: 1 }]);
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import https from 'node:https';
import type { ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { throwAwayCertificate } from '../../../testing/certificate';
import { systemClock } from '../../clock';
import type { Attempt } from '../../record';
import { launchesOf, type RuntimeLaunch } from './launch';
import { RuntimeClient, type RuntimeOptions } from './runtime-client';

jest.setTimeout(90_000);

const KEY = 'secret-client-key';
const PERIOD_MS = 150;
const TIMEOUT_MS = 600;
const tls = throwAwayCertificate(['localhost']);

type Answer = (response: ServerResponse, socket: Socket) => void;
const say =
  (status: number, body: unknown): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'x-failover-site': 'uk' });
    response.end(JSON.stringify(body));
  };
const WELL = say(200, { choices: [{ text: 'pong' }] });

/** Answers each request as it is told at the moment. */
class Service {
  answer: Answer = WELL;
  readonly seen: { key: string | undefined; path: string | undefined; body: string; port: number }[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly server = https.createServer(
    { cert: tls.certificate, key: tls.key },
    (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { socket } = request;
        this.seen.push({
          key: request.headers.authorization,
          path: request.url,
          body,
          port: socket.remotePort ?? 0,
        });
        this.answer(response, socket);
      });
    },
  );

  async start(): Promise<void> {
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }
  get url(): string {
    return `https://localhost:${(this.server.address() as AddressInfo).port}/v1/completions`;
  }
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

class Log {
  readonly attempts: Attempt[] = [];
  readonly begun: number[] = [];
  readonly steps: string[] = [];
  readonly begin = (_client: string, seq: number): void => void this.begun.push(seq);
  readonly add = (attempt: Attempt): void => void this.attempts.push(attempt);

  /** The next attempt, from now on, of which this is true. */
  async next(what: string, wanted: (attempt: Attempt) => boolean): Promise<Attempt> {
    const from = this.attempts.length;
    for (let waited = 0; waited < 15_000; waited += 20) {
      const found = this.attempts.slice(from).find(wanted);
      if (found !== undefined) return found;
      await delay(20);
    }
    throw new Error(`no attempt is ${what}; the latest: ${JSON.stringify(this.attempts.slice(-3))}`);
  }
}

const service = new Service();
beforeAll(() => service.start());
afterAll(() => service.stop());

function clientOf(launch: RuntimeLaunch, log: Log, changes: Partial<RuntimeOptions> = {}): RuntimeClient {
  const options: RuntimeOptions = {
    url: service.url,
    key: KEY,
    body: { model: 'tiny', prompt: 'ping "ö"' },
    caCertificate: tls.certificate,
    periodMs: PERIOD_MS,
    timeoutMs: TIMEOUT_MS,
    onStep: (text) => log.steps.push(text),
    ...changes,
  };
  return new RuntimeClient(launch, options, systemClock(), log);
}

/** The toolchain's environment where it is installed, else the machine's python3. */
function pythonHere(): string {
  const root = path.resolve(__dirname, '../../../..');
  const folder = path.join(process.env['FAILOVER_CACHE'] ?? path.join(root, '.cache'), 'toolchain');
  const name = existsSync(folder)
    ? readdirSync(folder).find((each) => /^drill-python-\w+-\w+$/.test(each))
    : undefined;
  return name === undefined ? 'python3' : path.join(folder, name, 'bin', 'python');
}

const python = pythonHere();
const missing: Readonly<Record<string, string | null>> = {
  node: null,
  python:
    spawnSync(python, ['-c', 'import requests, httpx']).status === 0
      ? null
      : 'no requests and httpx; npx ts-node --transpile-only tools/bootstrap.ts drill-python',
  java: String(spawnSync('java', ['--list-modules']).stdout).includes('jdk.compiler')
    ? null
    : 'no JDK; apt-get install openjdk-17-jdk-headless',
};

for (const runtime of ['node', 'python', 'java'] as const) {
  const reason = missing[runtime] ?? null;
  const describeIf = reason === null ? describe : describe.skip;
  for (const launch of launchesOf([runtime], python)) {
    describeIf(`the client ${launch.client}${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
      const log = new Log();
      let client: RuntimeClient;
      beforeAll(async () => {
        client = clientOf(launch, log);
        await client.prepare();
        client.start();
      });
      afterAll(() => client.stop());
      beforeEach(async () => {
        service.answer = WELL;
        await log.next('well', (each) => each.ok);
      });

      it('asks with key and body over a kept connection, in the time of the drill', async () => {
        const before = Date.now();
        service.seen.length = 0;
        const attempt = await log.next('well', (each) => each.ok);
        expect(attempt).toMatchObject({
          client: launch.client,
          status: 200,
          site: 'uk',
          epoch: null,
          error: null,
        });
        expect(Math.abs(attempt.end - before)).toBeLessThan(5_000);
        expect(attempt.end).toBeGreaterThanOrEqual(attempt.start);
        // Under load a pool may open some connections before it keeps to one.
        const ports = (): number => new Set(service.seen.map((each) => each.port)).size;
        for (let more = 0; more < 12 && (more < 3 || ports() === service.seen.length); more += 1)
          await log.next('well', (each) => each.ok);
        const [first] = service.seen;
        expect(first).toMatchObject({ key: `Bearer ${KEY}`, path: '/v1/completions' });
        expect(JSON.parse(first?.body ?? '')).toEqual({ model: 'tiny', prompt: 'ping "ö"' });
        expect(ports()).toBeLessThan(service.seen.length);
        expect(log.begun).toEqual(expect.arrayContaining([attempt.seq]));
        expect(log.steps[0]).toMatch(/is ready: \w+/);
      });
      it('fails with the status and what was said when the answer is 503', async () => {
        service.answer = say(503, { error: 'not active' });
        const attempt = await log.next('a 503', (each) => each.status === 503);
        expect(attempt).toMatchObject({ ok: false, site: 'uk', error: '503: {"error":"not active"}' });
      });
      it('fails when the answer is no completion', async () => {
        service.answer = say(200, { choice: 1 });
        const attempt = await log.next('refused', (each) => !each.ok);
        expect(attempt).toMatchObject({ status: 200, error: 'the answer has no choices' });
      });
      it('fails with the reason when the server closes connections, and is well again after it', async () => {
        service.answer = (_response, socket) => socket.destroy();
        const attempt = await log.next('failed', (each) => !each.ok);
        expect(attempt).toMatchObject({ status: null, site: null });
        expect(attempt.error).toMatch(/\w+: \S+/);
        service.answer = WELL;
        await log.next('well', (each) => each.ok);
      });
      it('fails at its deadline, with the next requests on their beat meanwhile', async () => {
        service.answer = () => undefined;
        const attempt = await log.next('late', (each) => !each.ok && each.status === null);
        expect(attempt.error).toMatch(/TIMEOUT|[tT]imed? ?[oO]ut/);
        expect(attempt.end - attempt.start).toBeGreaterThan(TIMEOUT_MS - 20);
        expect(attempt.end - attempt.start).toBeLessThan(TIMEOUT_MS + 900);
        const other = await log.next('late as well', (each) => !each.ok && each.seq > attempt.seq);
        expect(other.start).toBeLessThan(attempt.end);
      });
      it('fails at its deadline when only the head of the answer comes', async () => {
        service.answer = (response) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
          response.write('{"choices": [');
        };
        const attempt = await log.next('late', (each) => !each.ok && each.status === null);
        expect(attempt.end - attempt.start).toBeLessThan(TIMEOUT_MS + 900);
      });
      it('shows its key in no argument and no environment', () => {
        const { pid } = (client as unknown as { child: { pid: number } }).child;
        const shown = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8'));
        expect(shown.join('')).not.toContain(KEY);
      });
    });
  }
}

describe('a client whose program fails', () => {
  const log = (): Log => new Log();
  const script = (text: string): RuntimeLaunch => ({
    client: 'fake',
    program: process.execPath,
    args: ['-e', text],
  });
  const READY = `console.log('{"ready":"fake"}');`;
  /** Begins a request as soon as it is told to, then does as it is asked. */
  const onGo = (text: string): RuntimeLaunch =>
    script(
      `${READY}process.stdin.once('data',(d)=>{const start=Number(String(d).split('\\n')[1]);console.log(JSON.stringify({seq:0,start}));${text}})`,
    );
  let client: RuntimeClient | undefined;
  afterEach(() => client?.stop());

  it('refuses to begin when the program ends at once, with what it said', async () => {
    client = clientOf(script(`console.error('no such module');process.exit(3)`), log());
    await expect(client.prepare()).rejects.toMatchObject({
      code: 'DRILL_ABORTED',
      message: 'the client fake did not start: it ended with 3: no such module',
    });
  });
  it('refuses to begin when there is no such program', async () => {
    client = clientOf({ client: 'fake', program: '/nowhere/java', args: [] }, log());
    await expect(client.prepare()).rejects.toThrow(/fake did not start: it cannot be run: .*ENOENT/);
  });
  it('fails what was open and every beat from then on when the program dies, and says so', async () => {
    const heard = log();
    client = clientOf(onGo(`console.error('out of memory');process.exit(1)`), heard);
    await client.prepare();
    client.start();
    const first = await heard.next('failed', (each) => !each.ok);
    const next = await heard.next('missed', (each) => each.seq > first.seq);
    expect(first).toMatchObject({ seq: 0, error: 'it ended with 1: out of memory' });
    expect(next).toMatchObject({ ok: false, error: 'it ended with 1: out of memory' });
    expect(heard.steps.at(-1)).toBe('fake is gone: it ended with 1: out of memory');
  });
  it('fails what gets no outcome, and the beats that are missing, when the program hangs', async () => {
    const heard = log();
    client = clientOf(onGo('setInterval(()=>0,1000)'), heard);
    await client.prepare();
    client.start();
    expect(await heard.next('given up on', () => true)).toMatchObject({
      seq: 0,
      error: 'the program told no outcome by the deadline',
    });
    expect((await heard.next('missed', (each) => each.seq > 0)).error).toMatch(/has sent nothing for \d+ s/);
  });
  it('ends a program that does not want to, with what it has started', async () => {
    const heard = log();
    client = clientOf(
      onGo(`const c=require('child_process').spawn('sleep',['61']);console.log('pid '+c.pid);`),
      heard,
    );
    await client.prepare();
    client.start();
    const said = client as unknown as { said: string };
    while (!said.said.includes('pid ')) await delay(10);
    const pid = /pid (\d+)/.exec(said.said)?.[1] ?? '';
    await client.stop();
    const state = execFileSync('sh', ['-c', `ps -o stat= -p ${pid} || true`])
      .toString()
      .trim();
    expect(state).toMatch(/^(Z.*)?$/);
    expect(heard.attempts.at(-1)).toMatchObject({ seq: 0, ok: false });
  });
});

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { InferenceProbe, parseCounters } from './inference-probe';

let server: Server;
let probe: InferenceProbe;
let completions: (request: IncomingMessage, response: ServerResponse) => void;
let metrics: (response: ServerResponse) => void;
let bodies: string[];

const COMPLETION = '{"choices":[{"text":"a"}],"usage":{"completion_tokens":1}}';
const hang = () => undefined;
const counters = (generated: number, running = 1) =>
  `# HELP vllm:generation_tokens_total x\nvllm:generation_tokens_total{engine="0",model_name="m"} ${generated}\n` +
  `vllm:prompt_tokens_total{engine="0",model_name="m"} 7.0\nvllm:num_requests_running{engine="0"} ${running}.0\n` +
  `vllm:num_requests_waiting{engine="0"} 3.0\n`;

beforeEach(async () => {
  bodies = [];
  completions = (_request, response) => void response.end(COMPLETION);
  metrics = (response) => void response.end(counters(5));
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.url === '/health') response.end();
      else if (request.url === '/metrics') metrics(response);
      else {
        bodies.push(body);
        completions(request, response);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  probe = new InferenceProbe({ port, model: 'tiny', apiKey: 'vllm-key', timeoutMs: 80, settleMs: 20 });
});

afterEach(async () => {
  await probe.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

it('asks for one token of the model with the engine’s key', async () => {
  let key: string | undefined;
  completions = (request, response) => {
    key = request.headers.authorization;
    response.end(COMPLETION);
  };
  expect((await probe.probe()).outcome).toBe('ok');
  expect(key).toBe('Bearer vllm-key');
  expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ model: 'tiny', max_tokens: 1 });
});

it.each([500, 503, 401, 404])('fails at once when the engine answers %d', async (status) => {
  completions = (_request, response) => void response.writeHead(status).end('{"error":"x"}');
  expect(await probe.probe()).toMatchObject({
    outcome: 'failed',
    detail: expect.stringContaining(`${status}`),
  });
});

it('fails at once when the engine refuses the connection', async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await probe.probe()).toMatchObject({
    outcome: 'failed',
    detail: expect.stringContaining('ECONNREFUSED'),
    absent: true,
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

it('fails when a 200 carries no completion', async () => {
  completions = (_request, response) => void response.end('{"choices":[]}');
  expect((await probe.probe()).outcome).toBe('failed');
});

describe('trap 1: /health lies', () => {
  it('fails although /health says 200 when a generation hangs and the counters stand still', async () => {
    completions = hang;
    expect(await probe.probe()).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('stand still'),
    });
  });

  it('fails when the engine sends headers and then hangs', async () => {
    completions = (_request, response) => response.writeHead(200).flushHeaders();
    expect((await probe.probe()).outcome).toBe('failed');
  });

  it('fails within a bound when the metrics hang as well', async () => {
    completions = hang;
    metrics = hang;
    expect(await probe.probe()).toMatchObject({
      outcome: 'failed',
      detail: expect.stringContaining('metrics'),
    });
  });
});

describe('trap 2: a saturated engine misses a short deadline', () => {
  it('is saturated, not stuck, while its token counters move', async () => {
    completions = hang;
    let generated = 5;
    metrics = (response) => void response.end(counters((generated += 1)));
    expect(await probe.probe()).toMatchObject({
      outcome: 'saturated',
      detail: expect.stringContaining('3 waiting'),
    });
  });

  it('compares with the reading of the probe before, so that a slow step is seen', async () => {
    completions = hang;
    let generated = 5;
    metrics = (response) => void response.end(counters(generated));
    expect((await probe.probe()).outcome).toBe('failed');
    generated = 6;
    expect((await probe.probe()).outcome).toBe('saturated');
    expect((await probe.probe()).outcome).toBe('failed');
  });

  it('takes 429 for saturation', async () => {
    completions = (_request, response) => void response.writeHead(429).end();
    expect((await probe.probe()).outcome).toBe('saturated');
  });
});

it('adds the counters of several engines up, and knows when there are none', () => {
  const two = `${counters(5)}vllm:generation_tokens_total{engine="1"} 10\n`;
  expect(parseCounters(two)).toEqual({ tokens: 22, running: 1, waiting: 3 });
  expect(parseCounters('python_gc_objects 1\n')).toBeNull();
});

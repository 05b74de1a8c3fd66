import http from 'node:http';
import { performance } from 'node:perf_hooks';
import { usageOf } from './agent-usage';
import { render } from './bench';
import { judge, judgeAgent, type Sample } from './judge';
import { load } from './load';
import { median, percentile } from './stats';
import { streamOnce } from './stream';
import { Target } from './target';

let server: http.Server;
let url: string;
let connections: number;
let answer: http.RequestListener;
beforeEach(async () => {
  connections = 0;
  server = http.createServer((request, response) => answer(request, response));
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

describe('load', () => {
  it('keeps as many connections busy as it is told, and counts every answer', async () => {
    let answered = 0;
    answer = (_request, response) => {
      setTimeout(() => {
        answered += 1;
        response.end('{}');
      }, 20);
    };
    const target = new Target({ name: 'direct', url, headers: {} });
    const result = await load(target, () => ({ method: 'GET', path: '/' }), {
      workers: 4,
      seconds: 0.4,
      warmUpSeconds: 0.1,
    });
    await target.close();
    expect(connections).toBe(4);
    expect(result.latencies.length).toBeLessThan(answered);
    expect(percentile(result.latencies, 0.5)).toBeGreaterThanOrEqual(19);
    expect(result.requestsPerSecond).toBeLessThanOrEqual(4 / 0.019);
  });
  it('fails on any other answer than 200 instead of measuring errors', async () => {
    answer = (_request, response) => {
      response.statusCode = 401;
      response.end('no');
    };
    const target = new Target({ name: 'edge', url, headers: {} });
    await expect(
      load(target, () => ({ method: 'GET', path: '/x' }), { workers: 1, seconds: 1, warmUpSeconds: 0.1 }),
    ).rejects.toThrow('GET /x (edge): expected 200, got 401 no');
    await target.close();
  });
});

describe('streaming', () => {
  it('tells the first token from the pace of those that follow', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let sent = 0;
      const timer = setInterval(() => {
        sent += 1;
        response.write(`data: {"n":${sent}}\n\n`);
        if (sent < 6) return;
        clearInterval(timer);
        response.end('data: [DONE]\n\n');
      }, 30);
    };
    const target = new Target({ name: 'direct', url, headers: {} });
    const result = await streamOnce(target, 'tiny', 6);
    await target.close();
    expect(result.tokens).toBe(6);
    expect(result.firstTokenMs).toBeGreaterThanOrEqual(29);
    expect(result.tokensPerSecond).toBeLessThan(36);
  });
  it('refuses a stream that brings nothing', async () => {
    answer = (_request, response) => response.end('data: [DONE]\n\n');
    const target = new Target({ name: 'direct', url, headers: {} });
    await expect(streamOnce(target, 'tiny', 6)).rejects.toThrow('brought 0 tokens');
    await target.close();
  });
});

describe('the judgement', () => {
  const sample = (perSecond: number, p50Ms: number): Sample => ({ perSecond, p50Ms, p99Ms: p50Ms * 2 });
  const measured = (edge: Sample[]): Parameters<typeof judge>[0] => ({
    what: 'reads',
    unit: 'requests/s',
    direct: [sample(100, 2), sample(100, 2), sample(5, 50)],
    edge,
  });
  it('goes by the medians, so that one bad round changes nothing', () => {
    expect(judge(measured([sample(85, 2.9), sample(90, 2.8), sample(1, 90)]))).toMatchObject({
      share: 0.85,
      ok: true,
    });
  });
  it('misses when throughput falls below its share or too much is added', () => {
    expect(judge(measured([sample(79, 2)])).ok).toBe(false);
    expect(judge(measured([sample(100, 3.1)])).ok).toBe(false);
  });
  it('holds the agent to its memory and its share of a core', () => {
    expect(judgeAgent({ rssMiB: 99, cpuShare: 0.009, seconds: 1 })).toBe(true);
    expect(judgeAgent({ rssMiB: 101, cpuShare: 0, seconds: 1 })).toBe(false);
    expect(judgeAgent({ rssMiB: 50, cpuShare: 0.02, seconds: 1 })).toBe(false);
  });
  it('is printed with the goals', () => {
    const text = render([judge(measured([sample(79, 2)]))], { rssMiB: 60, cpuShare: 0.004, seconds: 20 });
    expect(text).toMatch(/reads +100 requests\/s +79 requests\/s +0\.79 ×.*MISSED/);
    expect(text).toContain('60 MiB, 0.40 % of a core over 20 s: met');
  });
});

describe('statistics', () => {
  it('takes the nearest rank and the middle', () => {
    expect(percentile([5, 1, 3, 2, 4], 0.5)).toBe(3);
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
    expect(median([1, 10, 2])).toBe(2);
    expect(median([1, 2, 3, 10])).toBe(2.5);
  });
});

describe('usage of a process', () => {
  it('sees memory, and the processor when it is used', async () => {
    const spinning = new Promise<void>((resolve) => {
      const until = performance.now() + 600;
      const spin = (): void => {
        const slice = performance.now() + 50;
        while (performance.now() < slice);
        if (performance.now() < until) setImmediate(spin);
        else resolve();
      };
      setImmediate(spin);
    });
    const usage = await usageOf(process.pid, 0.5);
    await spinning;
    expect(usage.rssMiB).toBeGreaterThan(20);
    expect(usage.cpuShare).toBeGreaterThan(0.1);
  });
});

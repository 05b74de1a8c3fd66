/**
 * A generation of one token with a deadline: the only probe that catches a hung engine, whose `/health` goes on saying
 * 200. A missed deadline is looked at twice, because a saturated engine misses it too: its token counters move.
 */
import { Pool } from 'undici';
import { codeOf, messageOf } from '../errors';
import type { ProbeResult } from './verdict';

export interface InferenceProbeOptions {
  readonly port: number;
  readonly model: string;
  readonly apiKey: string;
  readonly timeoutMs: number;
  /** Between the two readings of the counters. */
  readonly settleMs: number;
}

interface Counters {
  readonly tokens: number;
  readonly running: number;
  readonly waiting: number;
}

const COUNTED = ['vllm:generation_tokens_total', 'vllm:prompt_tokens_total'];
const RUNNING = 'vllm:num_requests_running';
const WAITING = 'vllm:num_requests_waiting';

export class InferenceProbe {
  private readonly pool: Pool;
  /** Last reading of this run of missed deadlines. */
  private last: Counters | null = null;

  constructor(private readonly options: InferenceProbeOptions) {
    this.pool = new Pool(`http://127.0.0.1:${options.port}`, {
      connections: 2,
      connect: { timeout: options.timeoutMs },
      pipelining: 1,
    });
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }

  async probe(): Promise<ProbeResult> {
    const { model, timeoutMs } = this.options;
    const started = process.hrtime.bigint();
    try {
      const answer = await this.request('POST', '/v1/completions', timeoutMs, {
        model,
        prompt: 'ping',
        max_tokens: 1,
        temperature: 0,
      });
      this.last = null;
      if (answer.status === 200) return judgeAnswer(answer.text, started);
      if (answer.status === 429)
        return { outcome: 'saturated', detail: 'engine answered 429: too many requests' };
      return { outcome: 'failed', detail: `engine answered ${answer.status}: ${answer.text.slice(0, 200)}` };
    } catch (error) {
      if (!isDeadline(error)) {
        this.last = null;
        return {
          outcome: 'failed',
          detail: `engine does not answer: ${codeOf(error)} ${messageOf(error)}`,
          absent: codeOf(error) === 'ECONNREFUSED',
        };
      }
      return this.judgeMissedDeadline();
    }
  }

  /** Of the engine; null when it does not say. */
  async version(): Promise<string | null> {
    try {
      const { status, text } = await this.request('GET', '/version', this.options.timeoutMs);
      const { version } = status === 200 ? (JSON.parse(text) as { version?: unknown }) : {};
      return typeof version === 'string' ? version : null;
    } catch {
      // Only shown to people; whether the engine works is the probe's business.
      return null;
    }
  }

  private async judgeMissedDeadline(): Promise<ProbeResult> {
    const { timeoutMs, settleMs } = this.options;
    const missed = `no token within ${timeoutMs} ms`;
    const earlier = this.last ?? (await this.readCounters());
    if (this.last === null) await new Promise((resolve) => setTimeout(resolve, settleMs));
    const now = await this.readCounters();
    this.last = now;
    if (earlier === null || now === null)
      return { outcome: 'failed', detail: `${missed}, and its metrics do not answer` };
    const queue = `${now.running} running, ${now.waiting} waiting`;
    if (now.tokens !== earlier.tokens)
      return { outcome: 'saturated', detail: `${missed}, but its counters move: ${queue}` };
    return { outcome: 'failed', detail: `${missed}, and its token counters stand still: ${queue}` };
  }

  private async readCounters(): Promise<Counters | null> {
    try {
      const { status, text } = await this.request('GET', '/metrics', Math.min(this.options.timeoutMs, 1_000));
      return status === 200 ? parseCounters(text) : null;
    } catch {
      // An engine whose metrics hang as well is judged by that.
      return null;
    }
  }

  private async request(
    method: 'GET' | 'POST',
    path: string,
    timeoutMs: number,
    body?: unknown,
  ): Promise<{ status: number; text: string }> {
    const response = await this.pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${this.options.apiKey}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      // Of the whole exchange: an engine may send headers and then hang.
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.statusCode, text: await response.body.text() };
  }
}

export function parseCounters(text: string): Counters | null {
  let tokens = 0;
  let seen = false;
  let running = 0;
  let waiting = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue;
    const name = /^[^{ ]+/.exec(line)?.[0];
    if (name === undefined) continue;
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (COUNTED.includes(name)) {
      tokens += value;
      seen = true;
    } else if (name === RUNNING) running += value;
    else if (name === WAITING) waiting += value;
  }
  return seen ? { tokens, running, waiting } : null;
}

function judgeAnswer(text: string, started: bigint): ProbeResult {
  const milliseconds = Number((process.hrtime.bigint() - started) / 1_000_000n);
  let choices: unknown;
  try {
    choices = (JSON.parse(text) as { choices?: unknown }).choices;
  } catch {
    choices = undefined;
  }
  if (Array.isArray(choices) && choices.length > 0) {
    return { outcome: 'ok', detail: `one token in ${milliseconds} ms` };
  }
  return { outcome: 'failed', detail: `engine answered 200 without a completion: ${text.slice(0, 200)}` };
}

function isDeadline(error: unknown): boolean {
  const codes = ['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'];
  const timedOut =
    typeof error === 'object' && error !== null && 'name' in error && error.name === 'TimeoutError';
  return timedOut || codes.includes(codeOf(error));
}

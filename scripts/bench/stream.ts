/** One streamed completion: when its first token came, and how many came each second. */
import { performance } from 'node:perf_hooks';
import { BenchFailedError, type Target } from './target';

export interface StreamResult {
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
  readonly tokens: number;
}

export async function streamOnce(target: Target, model: string, maxTokens: number): Promise<StreamResult> {
  const started = performance.now();
  const answer = await target.request({
    method: 'POST',
    path: '/v1/completions',
    body: JSON.stringify({
      model,
      prompt: 'The standby is',
      max_tokens: maxTokens,
      temperature: 0,
      stream: true,
      ignore_eos: true,
    }),
  });
  if (answer.statusCode !== 200) {
    throw new BenchFailedError(
      `a streamed completion (${target.name}): expected 200, got ${answer.statusCode}`,
    );
  }
  let first: number | null = null;
  let last = started;
  let tokens = 0;
  let rest = '';
  for await (const chunk of answer.body) {
    rest += (chunk as Buffer).toString('utf8');
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    const events = lines.filter((line) => line.startsWith('data: {')).length;
    if (events === 0) continue;
    last = performance.now();
    first ??= last;
    tokens += events;
  }
  if (first === null || tokens < 2) {
    throw new BenchFailedError(
      `a streamed completion (${target.name}) brought ${tokens} tokens, expected ${maxTokens}`,
    );
  }
  // From the request on: what comes at once at the end was not fast.
  return { firstTokenMs: first - started, tokensPerSecond: tokens / ((last - started) / 1000), tokens };
}

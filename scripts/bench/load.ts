/** A closed loop: so many workers, each sending its next request when the last one is answered, for so long. */
import { performance } from 'node:perf_hooks';
import type { Request, Target } from './target';

export interface LoadResult {
  readonly requestsPerSecond: number;
  /** Milliseconds, one of each request. */
  readonly latencies: readonly number[];
}

export async function load(
  target: Target,
  next: () => Request,
  options: { readonly workers: number; readonly seconds: number; readonly warmUpSeconds: number },
): Promise<LoadResult> {
  await target.useConnections(options.workers);
  await loop(target, next, options.workers, options.warmUpSeconds);
  return loop(target, next, options.workers, options.seconds);
}

async function loop(
  target: Target,
  next: () => Request,
  workers: number,
  seconds: number,
): Promise<LoadResult> {
  const latencies: number[] = [];
  const started = performance.now();
  const until = started + seconds * 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < until) {
      const sent = performance.now();
      await target.send(next());
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
  return { requestsPerSecond: latencies.length / ((performance.now() - started) / 1000), latencies };
}

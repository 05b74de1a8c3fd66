/** All rounds of all measures; who goes first alternates, so that what a round disturbs hits both ways. */
import { vectorFor } from '../drill/vectors';
import type { Measured, Sample } from './judge';
import { load } from './load';
import { percentile } from './stats';
import { streamOnce } from './stream';
import type { Request, Target } from './target';

export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly workers: number;
  readonly points: number;
  readonly streams: number;
  readonly maxTokens: number;
  readonly model: string;
  readonly onStep: (text: string) => void;
}

export interface Pair {
  readonly direct: Target;
  readonly edge: Target;
}

const WARM_UP_SECONDS = 0.5;

/** Makes and fills the collection through the edge, where writes belong. */
export async function createCollection(edge: Target, name: string, points: number): Promise<void> {
  const path = `/collections/${name}`;
  await edge.send({
    method: 'PUT',
    path,
    body: JSON.stringify({ vectors: { size: 8, distance: 'Cosine' } }),
  });
  for (let from = 1; from <= points; from += 500) {
    const batch = Array.from({ length: Math.min(500, points - from + 1) }, (_, i) => ({
      id: from + i,
      vector: vectorFor(from + i),
      payload: { n: from + i },
    }));
    await edge.send({
      method: 'PUT',
      path: `${path}/points?wait=true`,
      body: JSON.stringify({ points: batch }),
    });
  }
}

export async function removeCollection(edge: Target, name: string): Promise<void> {
  await edge.send({ method: 'DELETE', path: `/collections/${name}` }, [404]);
}

export async function measureVectors(pair: Pair, collection: string, plan: Plan): Promise<Measured[]> {
  let n = 0;
  const read = (): Request => {
    n += 1;
    return {
      method: 'POST',
      path: `/collections/${collection}/points/search`,
      body: JSON.stringify({ vector: vectorFor((n % plan.points) + 1), limit: 10 }),
    };
  };
  const write = (): Request => {
    n += 1;
    const id = (n % plan.points) + 1;
    return {
      method: 'PUT',
      path: `/collections/${collection}/points?wait=true`,
      body: JSON.stringify({ points: [{ id, vector: vectorFor(id), payload: { n } }] }),
    };
  };
  return [
    await alternating('Qdrant reads (search)', 'requests/s', pair, plan, (target) =>
      loaded(target, read, plan),
    ),
    await alternating('Qdrant writes (upsert, wait)', 'requests/s', pair, plan, (target) =>
      loaded(target, write, plan),
    ),
  ];
}

export function measureStreams(pair: Pair, plan: Plan): Promise<Measured> {
  return alternating('vLLM streaming (time to first token)', 'tokens/s', pair, plan, async (target) => {
    await target.useConnections(1);
    const firsts: number[] = [];
    const speeds: number[] = [];
    await streamOnce(target, plan.model, 2);
    for (let i = 0; i < plan.streams; i += 1) {
      const result = await streamOnce(target, plan.model, plan.maxTokens);
      firsts.push(result.firstTokenMs);
      speeds.push(result.tokensPerSecond);
    }
    return {
      perSecond: percentile(speeds, 0.5),
      p50Ms: percentile(firsts, 0.5),
      p99Ms: percentile(firsts, 0.99),
    };
  });
}

/** Throughput with several connections, then latency with one: under saturation a latency only repeats the throughput. */
async function loaded(target: Target, next: () => Request, plan: Plan): Promise<Sample> {
  const timing = { seconds: plan.seconds, warmUpSeconds: WARM_UP_SECONDS };
  const full = await load(target, next, { ...timing, workers: plan.workers });
  const single = await load(target, next, { ...timing, workers: 1 });
  return {
    perSecond: full.requestsPerSecond,
    p50Ms: percentile(single.latencies, 0.5),
    p99Ms: percentile(single.latencies, 0.99),
  };
}

async function alternating(
  what: string,
  unit: string,
  pair: Pair,
  plan: Plan,
  sample: (target: Target) => Promise<Sample>,
): Promise<Measured> {
  const results: { direct: Sample[]; edge: Sample[] } = { direct: [], edge: [] };
  for (let round = 0; round < plan.rounds; round += 1) {
    plan.onStep(`${what}: round ${round + 1} of ${plan.rounds}`);
    const order = round % 2 === 0 ? [pair.direct, pair.edge] : [pair.edge, pair.direct];
    for (const target of order) results[target.name].push(await sample(target));
  }
  return { what, unit, ...results };
}

/** All rounds of all measures; who goes first alternates, so that what a round disturbs hits both ways. */
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
  readonly dimensions: number;
  /** Points in each upsert. */
  readonly batch: number;
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

/** Different searches and upserts, made before the clock runs; then they are taken in turn. */
const BODIES = 64;

/** Makes and fills the collection through the edge, where writes belong. */
export async function createCollection(edge: Target, name: string, plan: Plan): Promise<void> {
  const path = `/collections/${name}`;
  plan.onStep(`filling a collection with ${plan.points} points of ${plan.dimensions} dimensions`);
  await edge.send({
    method: 'PUT',
    path,
    body: JSON.stringify({ vectors: { size: plan.dimensions, distance: 'Cosine' } }),
  });
  for (let from = 1; from <= plan.points; from += FILL_BATCH) {
    const body = upsert(from, Math.min(FILL_BATCH, plan.points - from + 1), plan.dimensions);
    await edge.send({ method: 'PUT', path: `${path}/points?wait=true`, body });
  }
}

const FILL_BATCH = 250;

function upsert(from: number, count: number, dimensions: number): string {
  const points = Array.from({ length: count }, (_, i) => ({
    id: from + i,
    vector: randomVector(dimensions),
    payload: { n: from + i },
  }));
  return JSON.stringify({ points });
}

/** What an embedding looks like on the wire: numbers between -1 and 1 with seven digits. */
function randomVector(dimensions: number): number[] {
  return Array.from({ length: dimensions }, () => Number((Math.random() * 2 - 1).toFixed(7)));
}

export async function removeCollection(edge: Target, name: string): Promise<void> {
  await edge.send({ method: 'DELETE', path: `/collections/${name}` }, [404]);
}

export async function measureVectors(pair: Pair, collection: string, plan: Plan): Promise<Measured[]> {
  let n = 0;
  const searches = Array.from({ length: BODIES }, () =>
    JSON.stringify({ vector: randomVector(plan.dimensions), limit: 10, with_payload: true }),
  );
  const upserts = Array.from({ length: BODIES }, (_, i) =>
    upsert(1 + ((i * plan.batch) % plan.points), plan.batch, plan.dimensions),
  );
  const read = (): Request => {
    n += 1;
    return {
      method: 'POST',
      path: `/collections/${collection}/points/search`,
      body: searches[n % BODIES] ?? '',
    };
  };
  const write = (): Request => {
    n += 1;
    return {
      method: 'PUT',
      path: `/collections/${collection}/points?wait=true`,
      body: upserts[n % BODIES] ?? '',
    };
  };
  return [
    await alternating('Qdrant reads (search)', 'requests/s', pair, plan, (target) =>
      loaded(target, read, plan),
    ),
    await alternating(`Qdrant writes (upsert of ${plan.batch}, wait)`, 'requests/s', pair, plan, (target) =>
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

/** The medians over all rounds, and whether they meet the goals. */
import type { Usage } from './agent-usage';
import { median } from './stats';

/** Share of the direct throughput that is left behind the edge, and what it may add to a request in the middle. */
export const GOALS = { throughputShare: 0.8, addedMs: 1, agentMiB: 100, agentCpuShare: 0.01 } as const;

/** One way in one round. Absent where a measure does not apply. */
export interface Sample {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
export interface Measured {
  readonly what: string;
  readonly unit: string;
  readonly direct: readonly Sample[];
  readonly edge: readonly Sample[];
}
export interface Judged {
  readonly what: string;
  readonly unit: string;
  readonly direct: Sample;
  readonly edge: Sample;
  readonly share: number;
  readonly addedMs: number;
  readonly ok: boolean;
}

export function judge(measured: Measured): Judged {
  const direct = middle(measured.direct);
  const edge = middle(measured.edge);
  const share = edge.perSecond / direct.perSecond;
  const addedMs = edge.p50Ms - direct.p50Ms;
  return {
    what: measured.what,
    unit: measured.unit,
    direct,
    edge,
    share,
    addedMs,
    ok: share >= GOALS.throughputShare && addedMs <= GOALS.addedMs,
  };
}

export function judgeAgent(usage: Usage): boolean {
  return usage.rssMiB < GOALS.agentMiB && usage.cpuShare <= GOALS.agentCpuShare;
}

function middle(samples: readonly Sample[]): Sample {
  return {
    perSecond: median(samples.map((sample) => sample.perSecond)),
    p50Ms: median(samples.map((sample) => sample.p50Ms)),
    p99Ms: median(samples.map((sample) => sample.p99Ms)),
  };
}

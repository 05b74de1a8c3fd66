/** What the measurements say of the goals. */
import type { MethodName } from './methods/method';

export const PHASES = ['first', 'changed', 'idle'] as const;
export type Phase = (typeof PHASES)[number];

/** One method in one phase over one kind of link. */
export interface Measured {
  readonly link: string;
  readonly capped: boolean;
  readonly phase: Phase;
  readonly method: MethodName;
  /** Of all its steps. */
  readonly seconds: number;
  /** On the cables of the two sites, both directions of each. */
  readonly primaryBytes: number;
  readonly standbyBytes: number;
  /** Of the largest of its steps, children included. */
  readonly peakBytes: number;
  readonly unreadableSeconds: number;
}

export interface Verdict {
  readonly goal: string;
  readonly got: string;
  readonly met: boolean;
}

/** How many times fewer bytes than the full copy, each way; how long, over the bounded link, next to it; memory in all. */
export const GOALS = {
  ...{ idleBytes: 50, changedBytes: 25, changedSeconds: 1 / 3, firstSeconds: 1 },
  peakBytes: 256 * 2 ** 20,
} as const;

export function judge(measured: readonly Measured[]): Verdict[] {
  const links = [...new Set(measured.map(({ link }) => link))];
  return links.flatMap((link) => {
    const of = (method: MethodName, phase: Phase): Measured | undefined =>
      measured.find((each) => each.link === link && each.method === method && each.phase === phase);
    return [
      ...bytesVerdicts(link, of('ours', 'idle'), of('full', 'idle'), 'idle', GOALS.idleBytes),
      ...bytesVerdicts(link, of('ours', 'changed'), of('full', 'changed'), '1 % changed', GOALS.changedBytes),
      ...timeVerdict(link, of('ours', 'changed'), of('full', 'changed'), '1 % changed', GOALS.changedSeconds),
      ...timeVerdict(link, of('ours', 'first'), of('full', 'first'), 'first copy', GOALS.firstSeconds),
      ...memoryVerdict(
        link,
        PHASES.flatMap((phase) => of('ours', phase) ?? []),
      ),
    ];
  });
}

function bytesVerdicts(
  link: string,
  ours: Measured | undefined,
  full: Measured | undefined,
  what: string,
  goal: number,
): Verdict[] {
  if (ours === undefined || full === undefined) return [];
  const ways = [
    ['from the primary', full.primaryBytes / ours.primaryBytes],
    ['to the standby', full.standbyBytes / ours.standbyBytes],
  ] as const;
  return ways.map(([way, ratio]) => ({
    goal: `${link}, ${what}: ${goal} × fewer bytes than full, ${way}`,
    got: `${ratio.toFixed(0)} ×`,
    met: ratio >= goal,
  }));
}

/** Of the largest step of any phase. */
function memoryVerdict(link: string, ours: readonly Measured[]): Verdict[] {
  if (ours.length === 0) return [];
  const peak = Math.max(...ours.map(({ peakBytes }) => peakBytes));
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  return [
    {
      goal: `${link}: less than ${mib(GOALS.peakBytes)} of memory`,
      got: mib(peak),
      met: peak < GOALS.peakBytes,
    },
  ];
}

/** Promised for the bounded link: on one machine's memory a copy costs no time. */
function timeVerdict(
  link: string,
  ours: Measured | undefined,
  full: Measured | undefined,
  what: string,
  goal: number,
): Verdict[] {
  if (ours === undefined || full === undefined || !ours.capped) return [];
  const share = ours.seconds / full.seconds;
  return [
    {
      goal: `${link}, ${what}: at most ${goal === 1 ? 'as long as' : `${goal.toFixed(2)} of the time of`} full`,
      got: `${share.toFixed(2)} of it`,
      met: share <= goal,
    },
  ];
}

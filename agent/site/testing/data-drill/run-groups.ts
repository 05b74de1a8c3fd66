/** All cases: groups side by side on a few lanes, each in worlds of its own; a world that failed a case is not used again. */
import { messageOf } from '../../errors';
import { GROUPS, type CaseResult, type DataCase, type Group } from './data-case';
import type { Programs } from './drill-site';
import { DrillWorld } from './drill-world';
import { runCase } from './run-case';

export interface RunOptions {
  readonly programs: Programs;
  readonly lanes: number;
  readonly onResult: (result: CaseResult, done: number, all: number) => void;
  /** No further case is begun. */
  readonly signal?: AbortSignal;
}

/** Filling a disk must not take long, and Qdrant's files must fit several times, at their full size: restic fills their holes. */
const DISK_MIB = 1024;

export async function runGroups(cases: readonly DataCase[], options: RunOptions): Promise<CaseResult[]> {
  const results = new Map<DataCase, CaseResult>();
  const of = (group: Group): DataCase[] => cases.filter((drilled) => drilled.group === group);
  // The largest first, so that no lane is left with it in the end.
  const queue = GROUPS.map(of)
    .filter((own) => own.length > 0)
    .sort((a, b) => b.length - a.length);
  const record = (drilled: DataCase, result: CaseResult): void => {
    results.set(drilled, result);
    options.onResult(result, results.size, cases.length);
  };
  const lane = async (): Promise<void> => {
    for (let own = queue.shift(); own !== undefined; own = queue.shift())
      await runGroup(own, options, record);
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
  return cases.flatMap((drilled) => results.get(drilled) ?? []);
}

async function runGroup(
  cases: readonly DataCase[],
  { programs, signal }: RunOptions,
  record: (drilled: DataCase, result: CaseResult) => void,
): Promise<void> {
  let world: DrillWorld | null = null;
  try {
    for (const drilled of cases) {
      if (signal?.aborted === true) return;
      try {
        world ??= await DrillWorld.start({
          programs,
          ...(drilled.group === 'disk' ? { diskMiB: DISK_MIB } : {}),
        });
      } catch (error) {
        record(drilled, notBegun(drilled, messageOf(error)));
        continue;
      }
      const result = await runCase(world, drilled);
      record(drilled, result);
      if (result.problems.length === 0) continue;
      await world.dispose();
      world = null;
    }
  } finally {
    await world?.dispose();
  }
}

function notBegun({ name, group }: DataCase, problem: string): CaseResult {
  return {
    name,
    group,
    step: '–',
    outcome: '–',
    pointsLost: 0,
    seconds: 0,
    problems: [`no world: ${problem}`],
  };
}

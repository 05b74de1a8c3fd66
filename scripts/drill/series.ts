/** Drills one after another, each from the steady state. What one drill breaks must not be blamed on the next. */
import { describe } from '../cli/errors';
import type { Measures } from './measure/measures';
import type { DrillPorts } from './ports';
import type { DrillRecord } from './record';
import type { Scenario } from './scenarios';
import { untilSteady } from './steady-state';

/** A drill that began; the error is what ended it early. */
export interface Drilled {
  readonly record: DrillRecord;
  readonly measures: Measures;
  readonly error: unknown;
}

export interface SeriesEntry {
  readonly scenario: Scenario;
  /** Null when it could not begin. */
  readonly drilled: Drilled | null;
  /** Why it did not begin or not end, in a sentence. */
  readonly problem: string | null;
}

export const passed = ({ drilled, problem }: SeriesEntry): boolean =>
  problem === null && drilled?.measures.passed === true;

/** For a standby to have started its engine again and caught up: as long as a failback may wait. */
const STEADY_SECONDS = 1_800;

/** Goes on after a drill that failed, as long as the steady state comes back; stops on a signal. */
export async function runSeries(
  scenarios: readonly Scenario[],
  ports: DrillPorts,
  drill: (scenario: Scenario) => Promise<Drilled>,
): Promise<SeriesEntry[]> {
  const entries: SeriesEntry[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    ports.progress.phase(`drill ${index + 1} of ${scenarios.length}: ${scenario.name}`);
    try {
      await untilSteady(ports, STEADY_SECONDS); // after long enough the drill's own check says what is off
      const drilled = await drill(scenario);
      const problem = drilled.error === null ? null : describe(drilled.error);
      entries.push({ scenario, drilled, problem });
    } catch (error) {
      entries.push({ scenario, drilled: null, problem: describe(error) });
    }
    if (ports.signal.aborted) break;
  }
  return entries;
}

/** The sites keep when the last drill was and how it went: they alert when none is made for too long. */
import { describe } from '../cli/errors';
import type { DrillPorts } from './ports';
import type { DrillRecord } from './record';

/** A drill that a person ended says nothing of the sites, and one that could not be told of is only said to be so. */
export async function tellSites(
  { sites, signal, progress }: Pick<DrillPorts, 'sites' | 'signal' | 'progress'>,
  { id, scenario }: Pick<DrillRecord, 'id' | 'scenario'>,
  hasPassed: boolean,
): Promise<void> {
  if (signal.aborted) return;
  const told = await Promise.allSettled(
    sites.map((site) => site.drilled({ id, scenario, passed: hasPassed })),
  );
  for (const [index, outcome] of told.entries()) {
    if (outcome.status === 'rejected')
      progress.phase(`${sites[index]?.site.site} was not told of this drill: ${describe(outcome.reason)}`);
  }
}

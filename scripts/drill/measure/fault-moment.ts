/** When the fault happened, as narrowly as the clients can tell. */
import type { DrillRecord } from '../record';
import { scenarioOf } from '../scenarios';

/**
 * A fault command takes time before it does anything (and more on a busy machine). Whatever the old site still answered
 * while it ran proves that the fault had not happened when that request was sent, so the latest such sending is a
 * lower bound of the moment: recovery counted from it can be overstated, never understated.
 *
 * Only requests of the kind that the fault stops count: a hung engine leaves all but inference answering. A planned
 * switch begins with its request.
 */
export function faultMoment(record: DrillRecord): number | null {
  const { faultStarted, faultDone } = record.marks;
  const scenario = scenarioOf(record);
  if (faultStarted === null || scenario.cause === 'planned') return faultStarted;
  const until = faultDone ?? Number.POSITIVE_INFINITY;
  const telling = new Set(
    record.clients
      .filter((client) => scenario.stops === 'everything' || client.what === scenario.stops)
      .map((client) => client.name),
  );
  return record.attempts
    .filter((each) => each.ok && each.site === record.from && telling.has(each.client) && each.start <= until)
    .reduce((latest, each) => Math.max(latest, each.start), faultStarted);
}

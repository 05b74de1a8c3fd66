/** When the fault happened, as narrowly as the clients can tell. */
import type { DrillRecord } from '../record';

/**
 * A fault command takes time before it does anything (and more on a busy machine). Whatever the old site still answered
 * while it ran proves that the fault had not happened when that request was sent, so the latest such sending is a
 * lower bound of the moment: recovery counted from it can be overstated, never understated.
 *
 * A hung engine leaves everything but inference answering, so only requests for inference count there. A planned
 * switch begins with its request.
 */
export function faultMoment(record: DrillRecord): number | null {
  const { faultStarted, faultDone } = record.marks;
  if (faultStarted === null || record.scenario === 'planned-switch') return faultStarted;
  const until = faultDone ?? Number.POSITIVE_INFINITY;
  const telling = new Set(
    record.clients
      .filter((client) => record.scenario !== 'hung-engine' || client.what === 'inference')
      .map((client) => client.name),
  );
  return record.attempts
    .filter((each) => each.ok && each.site === record.from && telling.has(each.client) && each.start <= until)
    .reduce((latest, each) => Math.max(latest, each.start), faultStarted);
}

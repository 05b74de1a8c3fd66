/** What each number means; the page prints them, docs/drills.md explains them. */
export const DEFINITIONS: readonly string[] = [
  'Fault: the command that makes it takes time before anything happens, so the fault is placed at the sending of the latest request that the old site still answered while the command ran (for a hung engine: the latest one for inference; for a planned switch: the request to the holder). Recovery counted from there can be overstated by the time between two requests, never understated.',
  'Success: status 200 and the right answer (a completion with a choice; the known point first in a search; the point that was asked for; a write that is completed), within the deadline of a request.',
  'Recovery time of a client: from the fault to the end of its first success after which it had no failure for the sustain time; 0 when no request of it failed.',
  'Outage: from the end of the last success before a run of failures to the end of the first success after it; waiting between requests counts.',
  'Lost write: acknowledged to a writer, whichever site did it and whenever, before the scroll at the new active site began, and not found by that scroll. In seconds: from the oldest lost acknowledgement to the fault, or to the newest lost one where that is later.',
  'Double write: an acknowledgement by a site that did not hold the epoch it named, or under a lower epoch by a request that began after an acknowledgement under a higher one had arrived.',
  'Pinned writers keep to one site whatever DNS says, so that a site which acknowledges without the lease cannot go unnoticed; their refusals are expected and count in no recovery time.',
  'Missing after the failback: found right after the failover, or acknowledged and not lost by it, and not found by the scroll after the failback.',
];

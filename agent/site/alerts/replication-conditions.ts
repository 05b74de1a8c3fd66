/** What a person should be told of the data: how old, how different, and what waits to be brought back. */
import { now, type Condition } from './condition';
import type { AlertFacts } from './conditions';

/** Nothing is known for so long: replication may well go on, but nobody can say so. */
const HEARTBEAT_LOST_SECONDS = 60;

export function replicationConditions(facts: AlertFacts): Condition[] {
  return [
    ...recoveryPoint(facts),
    ...differences(facts),
    ...unmerged(facts),
    ...heartbeat(facts),
    ...restoreTest(facts),
  ];
}

/** By the holder the last publish counts, elsewhere what was applied. */
function recoveryPoint({
  site,
  holds,
  publishedAgeSeconds,
  dataAgeSeconds,
  rpoSeconds,
}: AlertFacts): Condition[] {
  const age = holds ? publishedAgeSeconds : dataAgeSeconds;
  if (age === null || age <= rpoSeconds) return [];
  const what = holds ? `the last publish of ${site}` : `the data at ${site}`;
  const summary = `${what} is older than the RPO of ${rpoSeconds} s`;
  return [now('rpo', 'error', summary, `A failover now would lose ${Math.round(age)} s of writes.`)];
}

function differences({ site, differences: found }: AlertFacts): Condition[] {
  if (found.length === 0) return [];
  const detail = `${found.join('; ')}. The next publish replaces it; if it stays, read replication.md, "The digest".`;
  return [now('data-differs', 'error', `the data at ${site} is not what was published`, detail)];
}

function unmerged({ site, unmergedWrites }: AlertFacts): Condition[] {
  if (unmergedWrites === 0) return [];
  const summary = `${site} has ${unmergedWrites} writes set aside that nobody else has`;
  return [now('diverged', 'warning', summary, '`failover merge` says which, and brings them back.')];
}

/** A restore that failed in a test is told until one passes; no test for twice the interval is told as well. */
function restoreTest({
  site,
  state,
  restoreTest: last,
  restoreTestIntervalHours: hours,
}: AlertFacts): Condition[] {
  if (hours === 0 || state !== 'standby') return [];
  const { verdict, ageSeconds } = last;
  if (verdict?.result === 'failed') {
    const summary = `${verdict.collection} of ${verdict.publishId} could not be restored in a test at ${site}`;
    const detail = `${verdict.details.join('; ')}. Try another: \`failover restore-test\`; what each means is in replication.md.`;
    return [now('restore-test-failed', 'error', summary, detail)];
  }
  if (ageSeconds !== null && ageSeconds <= 2 * hours * 3600) return [];
  const summary = `no restore has been tested at ${site} for twice ${hours} h`;
  return [now('restore-test-overdue', 'warning', summary, 'Why not: `failover restore-test` says.')];
}

/** Late is a number over the objective; lost is having no number, which is the worse: it may be anything. */
function heartbeat({ holds, heartbeat: beat, rpoSeconds, unprotectedAfterSeconds }: AlertFacts): Condition[] {
  if (!holds || beat === undefined) return [];
  const { loss, reportAgeSeconds, writtenAgeSeconds } = beat;
  if ((writtenAgeSeconds ?? 0) > HEARTBEAT_LOST_SECONDS) {
    return [lost('it could not be written here', unprotectedAfterSeconds)];
  }
  if (reportAgeSeconds === null || reportAgeSeconds > HEARTBEAT_LOST_SECONDS) {
    return [lost('the other site does not say which it holds', unprotectedAfterSeconds)];
  }
  if (loss === null) return [lost('the other site holds none', unprotectedAfterSeconds)];
  if (loss.seconds <= rpoSeconds) return [];
  const amount = `${loss.atLeast ? 'at least ' : ''}${Math.round(loss.seconds)} s, ${loss.writes} writes`;
  return [
    now(
      'heartbeat-late',
      'error',
      `the other site lacks more than the RPO of ${rpoSeconds} s`,
      `A failover now would lose ${amount}.`,
    ),
  ];
}

function lost(why: string, afterSeconds: number): Condition {
  const detail = `No heartbeat comes through: ${why}. What a failover now would lose is not known.`;
  return { ...now('heartbeat-lost', 'critical', 'replication is not known to work', detail), afterSeconds };
}

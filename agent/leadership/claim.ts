/** Beginning to lead: when a server may, and what became of it. */
import { confirm, serial, tellOnce, type LeaderDraft } from './draft';
import { ABSENT } from './model';
import { comparePositions } from './record';
import type { LeaderRecord } from './record';

/** How long the object must have been seen unchanged before its leader is known to have stopped. */
const waitMs = (d: LeaderDraft, ttlSeconds: number): number =>
  Math.max(d.s.config.ttlMs, ttlSeconds * 1000) * (1 + d.s.config.drift);

/** A claim without an answer may have happened. Answers true when it had. */
export function judgeOpenClaim(d: LeaderDraft): boolean {
  const { s } = d;
  const { openClaim: open, seen } = s;
  if (open === null || seen === null) return false;
  if (seen.kind === 'record' && seen.record.nonce === open.write.record.nonce) {
    confirm(d, open.write, seen.etag);
    return true;
  }
  if ((seen.kind === 'record' ? seen.etag : ABSENT) !== open.ifMatch) s.openClaim = null;
  return false;
}

/** Whether the server may claim what a fresh reading shows; what keeps it from it for good is told. */
export function considerClaim(d: LeaderDraft): boolean {
  const { s, e } = d;
  const { seen, copy, config } = s;
  if (seen === null || s.lead !== null || e.now < s.grantedUntil) return false;
  if (seen.kind === 'absent') {
    if (copy !== null) {
      tellOnce(
        d,
        'LEADER_MISSING',
        "the store does not say any more who leads; put back the newest leader.json of the site's servers",
      );
      return false;
    }
    return config.founder && e.now - seen.changedAt >= waitMs(d, 0);
  }
  // Its disk has all of the memory that it would go on with.
  if (copy === null || comparePositions(copy, seen.record) !== 0) return false;
  // Named itself: its own process of before has ended.
  if (seen.record.leader === config.server) return true;
  return e.now - seen.changedAt >= waitMs(d, seen.record.ttlSeconds);
}

/** Sends the claim that a fresh reading allows, conditional on just what was read. */
export function sendClaim(d: LeaderDraft): void {
  const { s, e } = d;
  if (!considerClaim(d) || s.seen === null || s.operation !== null) return;
  const { config, seen } = s;
  const before = seen.kind === 'record' ? seen.record : null;
  const op = serial(d);
  const record: LeaderRecord = {
    version: 1,
    site: config.site,
    term: (before?.term ?? 0) + 1,
    leader: config.server,
    nonce: `${config.server}/${s.incarnation}/${serial(d)}`,
    ttlSeconds: config.ttlMs / 1000,
    writtenAt: e.wall,
    revision: before?.revision ?? 0,
    memory: before?.memory ?? s.inheritance,
  };
  const write = { record, sentAt: e.now };
  const ifMatch = seen.kind === 'record' ? seen.etag : ABSENT;
  s.operation = { id: op, kind: 'claim', write };
  s.openClaim = { write, ifMatch };
  d.actions.push({ type: 'write', op, record, ifMatch });
}

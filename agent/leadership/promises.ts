/**
 * While the witness cannot be had, the leader goes on by the promises of all the site's other servers not to claim. One
 * that sees the witness refuses: it is the better leader.
 */
import { serial, type LeaderDraft } from './draft';
import { leadsUntil } from './model';

export function askPromises(d: LeaderDraft): void {
  const { s, e } = d;
  const { lead, config } = s;
  // Who is late asks no more: another may have begun to lead.
  if (lead === null || !lead.troubled || e.now >= leadsUntil(s) || e.now < s.nextAskAt) return;
  const id = serial(d);
  s.ask = { id, sentAt: e.now, missing: config.others };
  s.nextAskAt = e.now + config.ttlMs / 8;
  for (const server of config.others)
    d.actions.push({ type: 'ask-promise', ask: id, server, term: lead.term });
}

export function promiseAnswered(d: LeaderDraft, id: number, server: string, granted: boolean): void {
  const { s } = d;
  const { ask, lead, config } = s;
  if (ask?.id !== id || lead === null || !granted) return;
  const missing = ask.missing.filter((name) => name !== server);
  s.ask = { ...ask, missing };
  if (missing.length > 0) return;
  const deadline = ask.sentAt + config.ttlMs * (1 - config.drift) - config.marginMs;
  s.lead = { ...lead, promiseDeadline: Math.max(lead.promiseDeadline, deadline) };
}

export function promiseAsked(d: LeaderDraft, from: string, term: number): void {
  const { s, e } = d;
  const { seen, config } = s;
  const granted =
    s.lead === null &&
    !s.witnessHealthy &&
    seen?.kind === 'record' &&
    seen.record.leader === from &&
    seen.record.term === term;
  if (granted) s.grantedUntil = Math.max(s.grantedUntil, e.now + config.ttlMs * (1 + config.drift));
  d.actions.push({ type: 'promise-answer', granted });
}

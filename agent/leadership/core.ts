/**
 * Which server leads a site: a pure function of the state and what has happened, like the lease's core, and safe by the
 * same argument (docs/lease.md, Several servers). The site's memory travels with the leadership, so that whoever leads
 * goes on where the last one stopped.
 */
import { considerClaim, judgeOpenClaim, sendClaim } from './claim';
import { confirm, loseLead, notice, serial, tellOnce } from './draft';
import { askPromises, promiseAnswered, promiseAsked } from './promises';
import { ABSENT, leadsUntil } from './model';
import type { LeaderAction, LeaderConfig, LeaderEvent, LeaderRead, LeaderState, LeaderWrite } from './model';
import type { LeaderDraft } from './draft';
import { comparePositions, type LeaderRecord, type Position } from './record';

export function initialLeaderState(
  config: LeaderConfig,
  disk: { readonly copy: Position | null; readonly inheritance: LeaderRecord['memory'] },
  incarnation: string,
  now: number,
): LeaderState {
  return {
    config,
    incarnation,
    serial: 0,
    inheritance: disk.inheritance,
    copy: disk.copy,
    seen: null,
    witnessHealthy: false,
    operation: null,
    nextStoreAt: now,
    lead: null,
    openClaim: null,
    grantedUntil: -Infinity,
    ask: null,
    nextAskAt: -Infinity,
    alerts: [],
  };
}

/** One step. `state` is left as it was. */
export function leaderStep(
  state: LeaderState,
  event: LeaderEvent,
): { readonly state: LeaderState; readonly actions: readonly LeaderAction[] } {
  const d: LeaderDraft = { s: { ...state }, e: event, actions: [] };
  happen(d);
  attend(d);
  return { state: d.s, actions: d.actions };
}

function happen(d: LeaderDraft): void {
  const { s, e } = d;
  switch (e.type) {
    case 'tick':
      return;
    case 'read-done':
      if (s.operation?.id !== e.op) return;
      s.operation = null;
      return readDone(d, e.result);
    case 'write-done':
      return writeDone(d, e.op, e.result);
    case 'copy-saved':
      if (e.ok && (s.copy === null || comparePositions(s.copy, e.position) < 0)) s.copy = e.position;
      return;
    case 'remember':
      if (s.lead === null) return;
      s.lead = {
        ...s.lead,
        revision: s.lead.revision + 1,
        memory: { ...s.lead.memory, [e.part]: e.value },
      };
      s.nextStoreAt = e.now;
      return;
    case 'promise-asked':
      return promiseAsked(d, e.from, e.term);
    case 'promise-answered':
      return promiseAnswered(d, e.ask, e.server, e.granted);
  }
}

function attend(d: LeaderDraft): void {
  const { s, e } = d;
  // Whoever is late leads no more until a write on the ETag that it knows succeeds: then nobody has led meanwhile.
  askPromises(d);
  if (s.operation !== null || e.now < s.nextStoreAt) return;
  const { lead } = s;
  if (lead !== null && lead.etag !== null) return sendRenewal(d, lead.etag);
  const op = serial(d);
  s.operation = { id: op, kind: 'read', write: null };
  d.actions.push({ type: 'read', op });
}

function sendRenewal(d: LeaderDraft, ifMatch: string): void {
  const { s, e } = d;
  const { lead, config } = s;
  if (lead === null) return;
  const op = serial(d);
  const record: LeaderRecord = {
    version: 1,
    site: config.site,
    term: lead.term,
    leader: config.server,
    nonce: `${config.server}/${s.incarnation}/${serial(d)}`,
    ttlSeconds: config.ttlMs / 1000,
    writtenAt: e.wall,
    revision: lead.revision,
    memory: lead.memory,
  };
  const write = { record, sentAt: e.now };
  s.operation = { id: op, kind: 'renew', write };
  s.lead = { ...lead, ownWrites: [...lead.ownWrites, write].slice(-8) };
  d.actions.push({ type: 'write', op, record, ifMatch });
}

function writeDone(d: LeaderDraft, id: number, result: LeaderWrite): void {
  const { s, e } = d;
  const { operation } = s;
  if (operation?.id !== id || operation.write === null) return;
  s.operation = null;
  s.witnessHealthy = result.kind !== 'unknown';
  if (operation.kind === 'claim') {
    if (result.kind === 'written') return confirm(d, operation.write, result.etag);
    if (result.kind === 'conflict') s.openClaim = null;
    s.nextStoreAt = result.kind === 'conflict' ? e.now : e.now + s.config.ttlMs / 20;
    return;
  }
  if (s.lead === null) return;
  if (result.kind === 'written') return confirm(d, operation.write, result.etag);
  const unknown = result.kind === 'unknown';
  s.lead = { ...s.lead, etag: null, troubled: s.lead.troubled || unknown };
  s.nextStoreAt = unknown ? e.now + s.config.ttlMs / 20 : e.now;
}

function readDone(d: LeaderDraft, result: LeaderRead): void {
  const { s, e } = d;
  s.witnessHealthy = result.kind === 'record' || result.kind === 'absent';
  s.nextStoreAt = e.now + s.config.ttlMs / (result.kind === 'unreachable' ? 20 : 10);
  switch (result.kind) {
    case 'unreachable':
      if (s.lead !== null) s.lead = { ...s.lead, troubled: true };
      return;
    case 'corrupt':
      if (s.lead !== null) s.lead = { ...s.lead, troubled: true };
      return tellOnce(d, 'LEADER_CORRUPT', result.detail);
    case 'absent':
      notice(d, { kind: 'absent', changedAt: e.now });
      if (s.lead !== null) {
        // Only a leader that is still in time may write it again.
        if (e.now >= leadsUntil(s)) return loseLead(d, 'the object is missing from the store');
        s.lead = { ...s.lead, etag: ABSENT };
        s.nextStoreAt = e.now;
        return;
      }
      break;
    case 'record':
      if (s.copy !== null && comparePositions(result.record, s.copy) < 0) {
        if (s.lead !== null) loseLead(d, 'the object went back in time');
        return tellOnce(
          d,
          'LEADER_WENT_BACK',
          `the store shows term ${result.record.term}, revision ${result.record.revision}; ` +
            `${s.copy.term}, ${s.copy.revision} has been seen. Put back the newest leader.json of the site's servers`,
        );
      }
      notice(d, { kind: 'record', record: result.record, etag: result.etag, changedAt: e.now });
      if (s.lead !== null) return leaderReads(d, result);
      break;
  }
  if (judgeOpenClaim(d)) return;
  considerClaim(d);
  sendClaim(d);
}

function leaderReads(d: LeaderDraft, { record, etag }: Extract<LeaderRead, { kind: 'record' }>): void {
  const { s, e } = d;
  const { lead, config } = s;
  if (lead === null) return;
  if (record.leader !== config.server || record.term !== lead.term) {
    return loseLead(d, `${record.leader} leads now, term ${record.term}`);
  }
  const own = lead.ownWrites.find((write) => write.record.nonce === record.nonce);
  if (own !== undefined) return confirm(d, own, etag);
  s.lead = { ...lead, etag };
  s.nextStoreAt = e.now;
}

/**
 * The decision core of the lease: a pure function of the state and what has happened. It does nothing itself; it
 * answers the new state and the actions to be carried out. docs/lease.md says why it is safe.
 */
import { claimDone, expirePromotion, sendClaim } from './claim';
import { alert, HISTORY_PAUSE_MS, clearAlert, emit, patchHold, persistNow, serial } from './draft';
import { considerSickHandover, sendSwap, swapDone, syncDone, watchHandover } from './handover';
import { askPromise, renewalDone, sendRenewal } from './hold';
import type { Action, Draft, LeaseConfig, LeaseEvent, LeaseState, WriteResult } from './model';
import { readDone } from './observe';
import { EMPTY_STATE, type PersistedState } from './ports';
import {
  beginReprotect,
  markReprotected,
  peerStatus,
  promiseAnswered,
  promiseAsked,
  promoteAsked,
  switchAsked,
} from './requests';
import { renewEveryMs, retryAfterMs } from './timing';
import { vetoAsked } from './veto';
import { holdsLease, siteState } from './view';

export function initialState(
  config: LeaseConfig,
  persisted: PersistedState | null,
  incarnation: string,
  now: number,
): LeaseState {
  return {
    config,
    incarnation,
    serial: 0,
    startedAt: now,
    persisted: persisted ?? EMPTY_STATE,
    requestedSeq: 0,
    durableSeq: 0,
    persistRetryAt: null,
    highestEpochAt: -Infinity,
    observed: null,
    witness: 'unknown',
    lastContactAt: null,
    operation: null,
    nextStoreAt: now,
    hold: null,
    handover: null,
    nextHandoverAt: -Infinity,
    claim: null,
    promotion: null,
    proposal: null,
    vetoUntil: persisted?.veto == null ? -Infinity : now + persisted.veto.forSeconds * 1000,
    grantedUntil: -Infinity,
    promiseAsk: null,
    nextPromiseAt: -Infinity,
    peer: null,
    peerSeenAt: null,
    peerAsk: null,
    nextPeerAt: now,
    epochChangedAt: -Infinity,
    switches: [],
    historyAsk: null,
    historyWanted: true,
    historyWrite: null,
    nextHistoryReadAt: now,
    nextHistoryWriteAt: now,
    alerts: [],
    shown: 'unknown',
  };
}

/** One step. `state` is left as it was. */
export function step(
  state: LeaseState,
  event: LeaseEvent,
): { readonly state: LeaseState; readonly actions: readonly Action[] } {
  const d: Draft = { s: { ...state }, e: event, actions: [] };
  happen(d);
  attend(d);
  return { state: d.s, actions: d.actions };
}

function happen(d: Draft): void {
  const { s, e } = d;
  switch (e.type) {
    case 'tick':
      return;
    case 'wake':
      if (s.hold === null) s.nextStoreAt = e.now;
      return;
    case 'read-done': {
      const op = s.operation;
      if (op?.id !== e.op) return;
      s.operation = null;
      return readDone(d, op, e.result);
    }
    case 'write-done':
      return writeDone(d, e.op, e.result);
    case 'persist-done':
      return persistDone(d, e.seq, e.ok);
    case 'promise-asked':
      return promiseAsked(d, e.id, e.request);
    case 'promise-answered':
      return promiseAnswered(d, e.id, e.answer);
    case 'peer-status':
      return peerStatus(d, e.id, e.status);
    case 'sync-done':
      return syncDone(d, e.id, e.publish);
    case 'history-read':
      if (s.historyAsk !== e.id) return;
      s.historyAsk = null;
      s.nextHistoryReadAt = e.now + HISTORY_PAUSE_MS;
      if (e.switches === null) {
        s.historyWanted = true;
      } else {
        s.switches = e.switches.map((past) => ({ at: e.now - past.ageMs, automatic: past.automatic }));
      }
      return;
    case 'history-written':
      return historyWritten(d, e.id, e.ok);
    case 'promote':
      return promoteAsked(d, e.id, e.request);
    case 'switch':
      return switchAsked(d, e.id, e.request);
    case 'begin-reprotect':
      return beginReprotect(d);
    case 'mark-reprotected':
      return markReprotected(d, e.epoch);
    case 'veto':
      return vetoAsked(d, e.request);
  }
}

function writeDone(d: Draft, id: number, result: WriteResult): void {
  const { s, e } = d;
  const op = s.operation;
  if (op?.id !== id) return;
  s.operation = null;
  if (result.kind === 'unknown') {
    s.witness = 'failing';
  } else {
    s.witness = 'healthy';
    s.lastContactAt = e.now;
  }
  if (op.purpose === 'claim') return claimDone(d, op, result);
  if (op.purpose === 'handover') return swapDone(d, op, result);
  if (s.handover?.phase === 'voiding') {
    if (result.kind !== 'written') s.handover = { ...s.handover, phase: 'swap-unknown' };
  }
  renewalDone(d, op, result);
}

function persistDone(d: Draft, seq: number, ok: boolean): void {
  const { s, e } = d;
  if (ok) {
    s.durableSeq = Math.max(s.durableSeq, seq);
    s.persistRetryAt = null;
    clearAlert(d, 'STATE_NOT_SAVED');
    return;
  }
  s.persistRetryAt = e.now + retryAfterMs(s.config);
  alert(d, 'STATE_NOT_SAVED', "the lease's memory cannot be written to disk; this site cannot take over");
}

function historyWritten(d: Draft, id: number, ok: boolean): void {
  const { s, e } = d;
  const { historyWrite } = s;
  if (historyWrite?.id !== id) return;
  s.historyWrite = null;
  s.nextHistoryWriteAt = e.now + (ok ? 0 : HISTORY_PAUSE_MS);
  if (!ok) return;
  const unwrittenHistory = s.persisted.unwrittenHistory.filter((entry) => entry.epoch !== historyWrite.epoch);
  s.persisted = { ...s.persisted, unwrittenHistory };
  persistNow(d);
}

/** What every event is an occasion for: time has passed, and something may be due. */
function attend(d: Draft): void {
  const { s, e } = d;
  if (s.persistRetryAt !== null && e.now >= s.persistRetryAt) {
    s.persistRetryAt = null;
    persistNow(d);
  }
  tellLapse(d);
  watchHandover(d);
  considerSickHandover(d);
  expirePromotion(d);
  driveStore(d);
  driveHistory(d);
  askPromise(d);
  if (s.peerAsk === null && e.now >= s.nextPeerAt) {
    const id = serial(d);
    s.peerAsk = { id, at: e.now };
    s.nextPeerAt = e.now + renewEveryMs(s.config);
    d.actions.push({ type: 'ask-peer', id });
  }
  const shown = siteState(s, e.now);
  if (shown !== s.shown) {
    emit(d, 'state', `${s.shown} → ${shown}`);
    s.shown = shown;
  }
}

function tellLapse(d: Draft): void {
  const { s, e } = d;
  if (s.hold === null) return;
  const holds = holdsLease(s, e.now);
  if (holds && s.hold.lapseTold) patchHold(d, { lapseTold: false });
  if (!holds && !s.hold.lapseTold && s.handover === null) {
    patchHold(d, { lapseTold: true });
    emit(d, 'fenced', `epoch ${s.hold.epoch} could not be renewed in time; no writes until it is`);
  }
  if (s.hold.troubled && holds && e.now >= s.hold.leaseDeadline) {
    alert(d, 'FAILSAFE', "the witness cannot be reached; going on by the peer's promise");
  }
}

/** One store operation at a time, the most pressing first. */
function driveStore(d: Draft): void {
  const { s, e } = d;
  if (s.operation !== null) return;
  if (sendClaim(d)) return;
  if (sendSwap(d)) return;
  if (e.now < s.nextStoreAt) return;
  const { hold } = s;
  const toBeShown = hold?.unproven?.looked === false;
  if (hold === null || hold.etag === null || toBeShown || s.handover?.phase === 'swap-unknown') {
    const op = serial(d);
    s.operation = { id: op, purpose: 'read', sentAt: e.now, nonce: null };
    d.actions.push({ type: 'read', op });
  } else if (s.durableSeq >= hold.needsSeq) {
    sendRenewal(d, hold.etag);
  }
}

function driveHistory(d: Draft): void {
  const { s, e } = d;
  if (s.historyWrite !== null || s.historyAsk !== null) return;
  const entry = s.persisted.unwrittenHistory[0];
  if (entry !== undefined && e.now >= s.nextHistoryWriteAt) {
    const id = serial(d);
    s.historyWrite = { id, epoch: entry.epoch };
    d.actions.push({ type: 'append-history', id, entry });
  } else if (s.historyWanted && e.now >= s.nextHistoryReadAt) {
    s.historyAsk = serial(d);
    s.historyWanted = false;
    d.actions.push({ type: 'read-history', id: s.historyAsk });
  }
}

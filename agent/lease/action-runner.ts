/** Carries out what the core asks for, each within its time, and tells the core what came of it. */
import type { LeaseHistoryEntry } from '../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { describeError } from '../shared/errors';
import { LeaseCorruptError } from './errors';
import type { Action, Happening, PastSwitch, ReadResult, WriteResult } from './model';
import type { Clock, LeaseStore, LocalView, PeerPort, StatePort } from './ports';

/** Beyond the bound given to a sync, so that a sync that ignores it cannot hold up the hand-over. */
const SYNC_GRACE_MS = 1000;

export interface RunnerPorts {
  readonly spec: SiteAgentSpec;
  readonly store: LeaseStore;
  readonly peer: PeerPort;
  readonly local: LocalView;
  readonly clock: Clock;
  readonly state: StatePort;
}

type Performed = Exclude<Action, { type: 'answer' | 'emit' }>;

export class ActionRunner {
  private readonly requestTimeoutMs: number;
  private saving: Promise<void> = Promise.resolve();
  private readonly waiting = new Set<{ readonly seq: number; readonly resolve: () => void }>();

  constructor(
    private readonly ports: RunnerPorts,
    private readonly dispatch: (happening: Happening) => void,
    private readonly alert: (detail: string) => void,
  ) {
    this.requestTimeoutMs = ports.spec.lease.requestTimeoutSeconds * 1000;
  }

  /** Answers when everything asked for so far has been written to disk, or has failed to be. */
  idle(): Promise<void> {
    return this.saving;
  }

  /** Answers when the memory of this number, or a later one, is on disk. */
  saved(seq: number): Promise<void> {
    return new Promise((resolve) => this.waiting.add({ seq, resolve }));
  }

  perform(action: Performed): void {
    const { store, peer, local, clock, spec } = this.ports;
    switch (action.type) {
      case 'read':
        return this.run(this.read(), (result) => ({ type: 'read-done', op: action.op, result }));
      case 'write':
        return this.run(this.write(action), (result) => ({ type: 'write-done', op: action.op, result }));
      case 'persist':
        return this.persist(action);
      case 'ask-promise': {
        const request = { from: spec.site, epoch: action.epoch };
        const answer = this.orNull(peer.promise(request), this.requestTimeoutMs);
        return this.run(answer, (value) => ({ type: 'promise-answered', id: action.id, answer: value }));
      }
      case 'promise-answer':
        return; // read from the actions by onPromise
      case 'ask-peer': {
        const asked = this.orNull(peer.status(), this.requestTimeoutMs);
        return this.run(asked, (full) => ({
          type: 'peer-status',
          id: action.id,
          status:
            full === null
              ? null
              : {
                  state: full.state,
                  lease: full.lease,
                  witness: full.witness,
                  promotable: full.promotable.promotable,
                },
        }));
      }
      case 'wake-peer':
        return this.run(this.orNull(peer.wake(), this.requestTimeoutMs), () => null);
      case 'sync': {
        const publish = this.orNull(local.finalSync(action.boundMs), action.boundMs + SYNC_GRACE_MS);
        return this.run(publish, (value) => ({ type: 'sync-done', id: action.id, publish: value }));
      }
      case 'read-history': {
        const wall = Date.parse(clock.wall());
        const entries = this.orNull(store.history(), 10 * this.requestTimeoutMs);
        return this.run(entries, (value) => ({
          type: 'history-read',
          id: action.id,
          switches: value === null ? null : pastSwitches(value, wall),
        }));
      }
      case 'append-history': {
        const written = this.orNull(
          store.appendHistory(action.entry).then(() => true),
          this.requestTimeoutMs,
        );
        return this.run(written, (ok) => ({ type: 'history-written', id: action.id, ok: ok === true }));
      }
    }
  }

  private async read(): Promise<ReadResult> {
    try {
      const found = await this.bounded(this.ports.store.read(), this.requestTimeoutMs);
      return found === 'absent' ? { kind: 'absent' } : { kind: 'lease', ...found };
    } catch (error) {
      const kind = error instanceof LeaseCorruptError ? 'corrupt' : 'unreachable';
      return { kind, detail: describeError(error) };
    }
  }

  private async write(action: Extract<Action, { type: 'write' }>): Promise<WriteResult> {
    try {
      const written = await this.bounded(
        this.ports.store.write(action.lease, action.ifMatch),
        this.requestTimeoutMs,
      );
      return written === 'conflict' ? { kind: 'conflict' } : { kind: 'written', etag: written.etag };
    } catch (error) {
      return { kind: 'unknown', detail: describeError(error) };
    }
  }

  /** One after the other, in the order asked for; only the newest value matters in the end. */
  private persist(action: Extract<Action, { type: 'persist' }>): void {
    this.saving = this.saving.then(async () => {
      let ok = true;
      try {
        await this.ports.state.save(action.value);
      } catch (error) {
        ok = false;
        this.alert(`STATE_NOT_SAVED: ${describeError(error)}`);
      }
      this.dispatch({ type: 'persist-done', seq: action.seq, ok });
      for (const entry of this.waiting) {
        if (!ok || entry.seq > action.seq) continue;
        this.waiting.delete(entry);
        entry.resolve();
      }
    });
  }

  /** Waits for what was begun and feeds the outcome to the core. The promise given must not fail. */
  private run<T>(work: Promise<T>, happening: (value: T) => Happening | null): void {
    void work.then((value) => {
      const event = happening(value);
      if (event !== null) this.dispatch(event);
    });
  }

  /** For questions whose failure is an answer too: the core is told null and goes by that. */
  private orNull<T>(work: Promise<T>, timeoutMs: number): Promise<T | null> {
    return this.bounded(work, timeoutMs).catch(() => null);
  }

  private bounded<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.ports.clock.timer(timeoutMs, () =>
        reject(new Error(`no answer within ${timeoutMs} ms`)),
      );
      work.then(resolve, reject).finally(cancel);
    });
  }
}

/** Ages by the wall clock: they damp flapping, safety does not rest on them. */
function pastSwitches(entries: readonly LeaseHistoryEntry[], wall: number): readonly PastSwitch[] {
  return entries
    .filter((entry) => entry.cause !== 'bootstrap')
    .map((entry) => ({
      ageMs: Math.max(0, wall - Date.parse(entry.at)),
      automatic: entry.cause === 'expired' || entry.cause === 'handover-sick',
    }))
    .filter((past) => Number.isFinite(past.ageMs));
}

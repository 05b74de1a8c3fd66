/**
 * Runs the decision core: feeds it what happens, carries out what it asks for, and answers the rest of the agent.
 * All decisions are the core's; nothing here decides anything about the lease.
 */
import { randomBytes } from 'node:crypto';
import type {
  AgentEvent,
  Health,
  LeaseHistoryEntry,
  PromiseRequest,
  PromiseResponse,
  PromoteRequest,
  PublishInfo,
  Reason,
  SiteState,
  SwitchRequest,
  SwitchResponse,
} from '../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { describeError } from '../shared/errors';
import { initialState, step } from './core';
import { knownEpoch } from './draft';
import { LeaseCorruptError, SwitchRefusedError } from './errors';
import { leaseConfig } from './lease-config';
import { lineageReason } from './lineage';
import type {
  Action,
  Happening,
  LeaseConfig,
  LeaseState,
  PastSwitch,
  ReadResult,
  WriteResult,
} from './model';
import type { Clock, LeaseStore, LocalView, PeerPort, StatePort } from './ports';
import { reprotectRefusal } from './requests';
import { systemClock } from './system-clock';
import { tickEveryMs } from './timing';
import { holdDeadline, isWritable, peerFresh, siteState } from './view';

export interface LeaseKeeperOptions {
  readonly spec: SiteAgentSpec;
  readonly store: LeaseStore;
  readonly peer: PeerPort;
  readonly local: LocalView;
  readonly clock?: Clock;
  readonly state: StatePort;
  readonly onEvent: (event: AgentEvent) => void;
}

interface Waiting {
  readonly resolve: (response: SwitchResponse) => void;
  readonly reject: (error: SwitchRefusedError) => void;
}

/** Beyond the bound given to a sync, so that a sync that ignores it cannot hold up the hand-over. */
const SYNC_GRACE_MS = 1000;

export class LeaseKeeper {
  private readonly config: LeaseConfig;
  private readonly clock: Clock;
  private readonly requestTimeoutMs: number;
  private core: LeaseState | null = null;
  private stopped = false;
  private cancelTick: () => void = () => undefined;
  private loading: Promise<void> = Promise.resolve();
  private saving: Promise<void> = Promise.resolve();
  private readonly holds = new Set<symbol>();
  private readonly waiting = new Map<number, Waiting>();
  private readonly durable = new Set<{ readonly seq: number; readonly resolve: () => void }>();
  private requests = 0;

  constructor(private readonly options: LeaseKeeperOptions) {
    this.config = leaseConfig(options.spec);
    this.clock = options.clock ?? systemClock();
    this.requestTimeoutMs = options.spec.lease.requestTimeoutSeconds * 1000;
  }

  start(): void {
    this.loading = this.load();
  }

  /** Stops at once: not writable from here on. The lease is not given back; it runs out or the next process renews it. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTick();
    for (const { reject } of this.waiting.values()) {
      reject(new SwitchRefusedError('AGENT_STOPPING', 'the agent is stopping; look at `failover status`'));
    }
    this.waiting.clear();
    await this.loading;
    await this.saving;
  }

  /** Asked before a write is forwarded and again before it is acknowledged; judged by the clock at this very moment. */
  isWritable(): boolean {
    if (this.core === null || this.stopped || this.holds.size > 0) return false;
    return isWritable(this.core, this.clock.now());
  }

  epoch(): number | null {
    return this.core === null ? null : knownEpoch(this.core);
  }

  state(): SiteState {
    return this.core === null ? 'unknown' : siteState(this.core, this.clock.now());
  }

  lease(): { readonly epoch: number; readonly holder: string } | null {
    const core = this.core;
    if (core === null) return null;
    if (core.hold !== null) return { epoch: core.hold.epoch, holder: this.config.site };
    if (core.observed?.kind !== 'lease') return null;
    return { epoch: core.observed.lease.epoch, holder: core.observed.lease.holder };
  }

  writableForSeconds(): number | null {
    const deadline = this.core === null ? -Infinity : holdDeadline(this.core);
    return deadline === -Infinity ? null : Math.max(0, (deadline - this.clock.now()) / 1000);
  }

  witness(): Health {
    return this.core?.witness ?? 'unknown';
  }

  /** What the keeper knows of the peer; it asks every third of a TTL. */
  peer(): { readonly health: Health; readonly state: SiteState | null; readonly promotable: boolean | null } {
    const core = this.core;
    if (core === null || core.peer === null) return { health: 'unknown', state: null, promotable: null };
    if (!peerFresh(core, this.clock.now())) return { health: 'failing', state: null, promotable: null };
    return { health: 'healthy', state: core.peer.state, promotable: core.peer.promotable };
  }

  /** Why this site's past keeps it from taking over, or null; part of whether it is promotable. */
  lineage(): Reason | null {
    return this.core === null
      ? { code: 'STARTING', message: "the site's memory has not been read yet" }
      : lineageReason(this.core.persisted);
  }

  onPromise(request: PromiseRequest): PromiseResponse {
    const id = ++this.requests;
    const actions = this.dispatch({ type: 'promise-asked', id, request });
    const answer = actions.find((action) => action.type === 'promise-answer');
    return answer?.answer ?? { granted: false, epoch: 0 };
  }

  wake(): void {
    this.dispatch({ type: 'wake' });
  }

  /** Takes the lease once the holder's has run out; refuses with {@link SwitchRefusedError}. */
  promote(request: PromoteRequest): Promise<SwitchResponse> {
    return this.ask((id) => ({ type: 'promote', id, request }));
  }

  /** Hands the lease to the peer with everything in it; refuses with {@link SwitchRefusedError}, writes going on here. */
  switch(request: SwitchRequest): Promise<SwitchResponse> {
    return this.ask((id) => ({ type: 'switch', id, request }));
  }

  /** Refuses writes, lease kept, until the function answered is called. */
  holdWrites(_reason: string): () => void {
    const hold = Symbol('hold');
    this.holds.add(hold);
    return () => void this.holds.delete(hold);
  }

  /** To be awaited before this site's data are touched: from here on they do not count until `markReprotected`. */
  async beginReprotect(): Promise<void> {
    const core = this.started();
    const refusal = reprotectRefusal(core);
    if (refusal !== null) throw new SwitchRefusedError('REPROTECT_REFUSED', refusal);
    this.dispatch({ type: 'begin-reprotect' });
    await this.saved();
  }

  /** The data of `publish` are here and verified. */
  async markReprotected(publish: PublishInfo): Promise<void> {
    this.started();
    this.dispatch({ type: 'mark-reprotected', epoch: publish.epoch });
    if (this.core?.persisted.reprotecting === true) {
      const message = `a publish of epoch ${publish.epoch} is not newer than what this site held`;
      throw new SwitchRefusedError('PUBLISH_TOO_OLD', message);
    }
    await this.saved();
  }

  private async load(): Promise<void> {
    try {
      const persisted = await this.options.state.load();
      if (this.stopped) return;
      const incarnation = randomBytes(6).toString('hex');
      this.core = initialState(this.config, persisted, incarnation, this.clock.now());
    } catch (error) {
      this.tell('alert', `STATE_NOT_READ: ${describeError(error)}`, null);
      return;
    }
    this.tell('started', `site ${this.config.site}, mode ${this.config.mode}`, null);
    this.tick();
  }

  private tick(): void {
    if (this.stopped) return;
    this.cancelTick = this.clock.timer(tickEveryMs(this.config), () => this.tick());
    this.dispatch({ type: 'tick' });
  }

  private dispatch(happening: Happening): readonly Action[] {
    if (this.core === null || this.stopped) return [];
    const { local } = this.options;
    const result = step(this.core, {
      ...happening,
      now: this.clock.now(),
      wall: this.clock.wall(),
      local: {
        promotable: local.promotable(),
        canary: local.canary().health,
        dataAgeSeconds: local.dataAgeSeconds(),
      },
    });
    this.core = result.state;
    for (const action of result.actions) this.perform(action);
    return result.actions;
  }

  private perform(action: Action): void {
    const { store, peer, local } = this.options;
    switch (action.type) {
      case 'read':
        return this.run(this.read(), (result) => ({ type: 'read-done', op: action.op, result }));
      case 'write':
        return this.run(this.write(action), (result) => ({ type: 'write-done', op: action.op, result }));
      case 'persist':
        return this.persist(action);
      case 'ask-promise': {
        const request = { from: this.config.site, epoch: action.epoch };
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
        const wall = Date.parse(this.clock.wall());
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
      case 'answer':
        return this.answer(action);
      case 'emit':
        return this.tell(action.kind, action.detail, action.epoch);
    }
  }

  private async read(): Promise<ReadResult> {
    try {
      const found = await this.bounded(this.options.store.read(), this.requestTimeoutMs);
      return found === 'absent' ? { kind: 'absent' } : { kind: 'lease', ...found };
    } catch (error) {
      const kind = error instanceof LeaseCorruptError ? 'corrupt' : 'unreachable';
      return { kind, detail: describeError(error) };
    }
  }

  private async write(action: Extract<Action, { type: 'write' }>): Promise<WriteResult> {
    try {
      const written = await this.bounded(
        this.options.store.write(action.lease, action.ifMatch),
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
        await this.options.state.save(action.value);
      } catch (error) {
        ok = false;
        this.tell('alert', `STATE_NOT_SAVED: ${describeError(error)}`, null);
      }
      this.dispatch({ type: 'persist-done', seq: action.seq, ok });
      for (const entry of this.durable) {
        if (!ok || entry.seq > action.seq) continue;
        this.durable.delete(entry);
        entry.resolve();
      }
    });
  }

  private async saved(): Promise<void> {
    const seq = this.started().requestedSeq;
    if (this.started().durableSeq >= seq) return;
    await new Promise<void>((resolve) => this.durable.add({ seq, resolve }));
  }

  private ask(happening: (id: number) => Happening): Promise<SwitchResponse> {
    return new Promise((resolve, reject) => {
      this.started();
      const id = ++this.requests;
      this.waiting.set(id, { resolve, reject });
      this.dispatch(happening(id));
    });
  }

  private answer({ id, result }: Extract<Action, { type: 'answer' }>): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if ('refused' in result) waiting?.reject(SwitchRefusedError.from(result.refused));
    else waiting?.resolve(result);
  }

  private started(): LeaseState {
    if (this.core === null || this.stopped) {
      throw new SwitchRefusedError(
        'NOT_STARTED',
        'the agent has not read its memory yet, or is stopping; try again',
      );
    }
    return this.core;
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
      const cancel = this.clock.timer(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
      work.then(resolve, reject).finally(cancel);
    });
  }

  private tell(kind: AgentEvent['kind'], detail: string, epoch: number | null): void {
    this.options.onEvent({ at: this.clock.wall(), site: this.config.site, kind, detail, epoch });
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

/**
 * Runs the decision core: feeds it what happens, carries out what it asks for, and answers the rest of the agent.
 * All decisions are the core's; nothing here decides anything about the lease.
 */
import { randomBytes } from 'node:crypto';
import type {
  AgentEvent,
  Health,
  PromiseRequest,
  PromiseResponse,
  PromoteRequest,
  PublishInfo,
  Reason,
  SiteState,
  SwitchRequest,
  SwitchResponse,
  StatusResponse,
  VetoRequest,
} from '../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import { describeError } from '../shared/errors';
import { initialState, step } from './core';
import { knownEpoch } from './draft';
import { ActionRunner } from './action-runner';
import { SwitchRefusedError } from './errors';
import { leaseConfig } from './lease-config';
import { lineageReason } from './lineage';
import type { Action, Happening, LeaseConfig, LeaseState } from './model';
import type { Clock, LeaseStore, LocalView, PeerPort, StatePort } from './ports';
import { reprotectRefusal } from './requests';
import { systemClock } from './system-clock';
import { tickEveryMs } from './timing';
import { switchingView } from './veto';
import { holdDeadline, isWritable, peerFresh, siteState } from './view';

export interface LeaseKeeperOptions {
  readonly spec: SiteAgentSpec;
  readonly store: LeaseStore;
  readonly peer: PeerPort;
  readonly local: LocalView;
  readonly clock?: Clock;
  readonly state: StatePort;
  readonly onEvent: (event: AgentEvent) => void;
  /**
   * Until when this process may act for its site, by the keeper's clock: where the site has several servers, one of them
   * leads. @default for ever
   */
  readonly leadsUntil?: () => number;
}

interface Waiting {
  readonly resolve: (response: SwitchResponse) => void;
  readonly reject: (error: SwitchRefusedError) => void;
}

export class LeaseKeeper {
  private readonly config: LeaseConfig;
  private readonly clock: Clock;
  private readonly runner: ActionRunner;
  private core: LeaseState | null = null;
  private stopped = false;
  private cancelTick: () => void = () => undefined;
  private loading: Promise<void> = Promise.resolve();
  private readonly holds = new Set<symbol>();
  private readonly waiting = new Map<number, Waiting>();
  private requests = 0;

  constructor(private readonly options: LeaseKeeperOptions) {
    this.config = leaseConfig(options.spec);
    this.clock = options.clock ?? systemClock();
    this.runner = new ActionRunner(
      { ...options, clock: this.clock },
      (happening) => void this.dispatch(happening),
      (detail) => this.tell('alert', detail, null),
    );
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
    await this.runner.idle();
  }

  /** Asked before a write is forwarded and again before it is acknowledged; judged by the clock at this very moment. */
  isWritable(): boolean {
    if (this.core === null || !this.mayAct() || this.holds.size > 0) return false;
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
    if (core === null || this.clock.now() >= this.leadsUntil()) return null;
    if (core.hold !== null) return { epoch: core.hold.epoch, holder: this.config.site };
    if (core.observed?.kind !== 'lease') return null;
    return { epoch: core.observed.lease.epoch, holder: core.observed.lease.holder };
  }

  writableForSeconds(): number | null {
    const held = this.core === null ? -Infinity : holdDeadline(this.core);
    const deadline = Math.min(held, this.leadsUntil());
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

  /** Codes of the conditions that it alerts of at this moment. */
  alerts(): readonly string[] {
    return this.core?.alerts ?? [];
  }

  /** Who decides, what is about to happen unless somebody says no, and who has said no. */
  switching(): StatusResponse['switching'] {
    const { mode } = this.config;
    return this.core === null ? { mode } : { mode, ...switchingView(this.core, this.clock.now()) };
  }

  /** No switch but a person's for so long, once it is on disk; 0 seconds lift it. */
  async veto(request: VetoRequest): Promise<void> {
    this.started();
    this.dispatch({ type: 'veto', request });
    await this.saved();
  }

  onPromise(request: PromiseRequest): PromiseResponse {
    const id = ++this.requests;
    const actions = this.dispatch({ type: 'promise-asked', id, request });
    if (!this.mayAct()) return { granted: false, epoch: request.epoch };
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
        recovering: local.recovering(),
        dataAgeSeconds: local.dataAgeSeconds(),
      },
    });
    this.core = result.state;
    for (const action of result.actions) this.perform(action);
    return result.actions;
  }

  private leadsUntil(): number {
    return this.options.leadsUntil?.() ?? Infinity;
  }

  private mayAct(): boolean {
    return !this.stopped && this.clock.now() < this.leadsUntil();
  }

  private ask(happening: (id: number) => Happening): Promise<SwitchResponse> {
    return new Promise((resolve, reject) => {
      this.started();
      const id = ++this.requests;
      this.waiting.set(id, { resolve, reject });
      this.dispatch(happening(id));
    });
  }

  private perform(action: Action): void {
    if (action.type === 'answer') this.answer(action);
    else if (action.type === 'emit') this.tell(action.kind, action.detail, action.epoch);
    else if (action.type === 'write' && !this.mayAct()) this.withhold(action.op);
    else this.runner.perform(action);
  }

  /** What is not sent has not happened; the core takes it for lost, and reads. */
  private withhold(op: number): void {
    const result = { kind: 'unknown', detail: 'another server may lead this site' } as const;
    void Promise.resolve().then(() => this.dispatch({ type: 'write-done', op, result }));
  }

  /** Answers when what the core wants to remember by now is on disk. */
  private saved(): Promise<void> {
    const core = this.started();
    return core.durableSeq >= core.requestedSeq ? Promise.resolve() : this.runner.saved(core.requestedSeq);
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

  private tell(kind: AgentEvent['kind'], detail: string, epoch: number | null): void {
    this.options.onEvent({ at: this.clock.wall(), site: this.config.site, kind, detail, epoch });
  }
}

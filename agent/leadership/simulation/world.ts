/**
 * Servers of one site, the store at the witness, and a network between them in which everything goes wrong: answers and
 * questions are late or lost, servers die, stand still and come back, clocks run at different rates.
 */
import { Agenda } from '../../lease/simulation/agenda';
import { Random } from '../../lease/simulation/random';
import { initialLeaderState, leaderStep } from '../core';
import { MemoryLeaderStore } from '../memory-store';
import {
  leadsUntil,
  type LeaderAction,
  type LeaderConfig,
  type LeaderHappening,
  type LeaderRead,
  type LeaderState,
  type LeaderWrite,
} from '../model';
import type { LeaderRecord, Position } from '../record';
import type { LeaderMutation } from './mutants';
import { DRIFT, TTL_MS, type Fault, type LeaderPlan } from './plan';

export class LeadershipBrokenError extends Error {}

interface Server {
  readonly name: string;
  readonly rate: number;
  readonly config: LeaderConfig;
  state: LeaderState | null;
  life: number;
  disk: Position | null;
  pausedUntil: number;
  /** Values that are being remembered, by the revision that has them. */
  readonly unsaved: { readonly revision: number; readonly value: number; readonly life: number }[];
}

const TICK_MS = 50;
const TIMEOUT_MS = TTL_MS / 5;
/** Faults end by then; somebody has to lead soon after. */
const CALM_AT = 14_000;
const END = CALM_AT + 4 * TTL_MS + 1000;

export class LeadershipWorld {
  readonly terms: number[] = [];
  saved = 0;
  private readonly agenda = new Agenda();
  private readonly random: Random;
  private readonly store = new MemoryLeaderStore();
  private readonly servers: readonly Server[];
  private readonly step: typeof leaderStep;

  constructor(
    private readonly plan: LeaderPlan,
    private readonly mutation: LeaderMutation,
  ) {
    this.random = new Random(plan.seed);
    this.step = mutation.step?.(leaderStep) ?? leaderStep;
    const names = plan.rates.map((_, index) => `s${index + 1}`);
    this.servers = names.map((name, index) => {
      const config: LeaderConfig = {
        site: 'uk',
        server: name,
        others: names.filter((other) => other !== name),
        founder: index === 0,
        ttlMs: TTL_MS,
        marginMs: TTL_MS / 20,
        drift: DRIFT,
        ...mutation.config,
      };
      const rate = 1 + DRIFT * 0.49 * (plan.rates[index] ?? 0);
      return { name, rate, config, state: null, life: 0, disk: null, pausedUntil: 0, unsaved: [] };
    });
  }

  run(): void {
    for (const server of this.servers) this.boot(server);
    for (const fault of this.plan.faults) this.schedule(fault);
    this.agenda.runUntil(END, () => this.checkOne());
    const leading = this.servers.filter((server) => this.leads(server));
    if (leading.length !== 1) {
      const states = this.servers.map(({ name, state }) => `${name} ${state === null ? 'off' : 'on'}`);
      throw new LeadershipBrokenError(`nobody leads in the end: ${states.join(', ')}`);
    }
  }

  private boot(server: Server): void {
    server.life += 1;
    server.state = initialLeaderState(
      server.config,
      { copy: server.disk, inheritance: { counter: 0 } },
      `${server.name}-${server.life}`,
      this.clock(server),
    );
    server.state = this.mutation.started?.(server.state) ?? server.state;
    this.tick(server, server.life);
  }

  private tick(server: Server, life: number): void {
    if (server.life !== life || server.state === null) return;
    this.happen(server, life, { type: 'tick' });
    const { lead } = server.state;
    const awake = this.agenda.now >= server.pausedUntil;
    if (lead !== null && awake && this.leads(server) && this.random.chance(0.15)) this.remember(server, life);
    this.agenda.after(TICK_MS, () => this.tick(server, life));
  }

  private remember(server: Server, life: number): void {
    const counter = Number(server.state?.lead?.memory['counter'] ?? 0) + 1;
    this.happen(server, life, { type: 'remember', part: 'counter', value: counter });
    const { lead } = server.state ?? {};
    if (lead?.memory['counter'] === counter)
      server.unsaved.push({ revision: lead.revision, value: counter, life });
  }

  /** Events wait while a server stands still. */
  private happen(server: Server, life: number, happening: LeaderHappening): void {
    if (server.life !== life || server.state === null) return;
    if (this.agenda.now < server.pausedUntil) {
      this.agenda.at(server.pausedUntil, () => this.happen(server, life, happening));
      return;
    }
    const before = server.state.lead?.term;
    const event = { ...happening, now: this.clock(server), wall: '' };
    const { state, actions } = this.step(server.state, event);
    server.state = state;
    if (state.lead !== null && state.lead.term !== before && this.leads(server)) {
      this.terms.push(state.lead.term);
      server.unsaved.length = 0;
    }
    for (const action of actions) this.perform(server, life, action);
    this.settle(server);
  }

  /** What counts as remembered must be known to whoever leads later. */
  private settle(server: Server): void {
    const { state } = server;
    if (state?.lead === null || state === null || !this.leads(server)) return;
    while (server.unsaved[0] !== undefined && server.unsaved[0].revision <= state.lead.storedRevision) {
      const { value, life } = server.unsaved.shift() ?? { value: 0, life: 0 };
      if (life !== server.life) continue;
      if (value <= this.saved)
        throw new LeadershipBrokenError(`${server.name} remembers ${value} after ${this.saved}`);
      this.saved = value;
    }
  }

  private perform(server: Server, life: number, action: LeaderAction): void {
    switch (action.type) {
      case 'read':
        return this.ask<LeaderRead>(
          server,
          life,
          () => {
            const found = this.store.readNow();
            return found === 'absent' ? { kind: 'absent' } : { kind: 'record', ...found };
          },
          { kind: 'unreachable', detail: '' },
          (result) => ({ type: 'read-done', op: action.op, result }),
        );
      case 'write':
        return this.ask<LeaderWrite>(
          server,
          life,
          () => this.write(action.record, action.ifMatch),
          { kind: 'unknown', detail: '' },
          (result) => ({ type: 'write-done', op: action.op, result }),
        );
      case 'save-copy': {
        const { term, revision } = action.record;
        this.agenda.after(this.random.between(1, 20), () => {
          if (server.life !== life) return;
          server.disk = { term, revision };
          this.happen(server, life, { type: 'copy-saved', position: { term, revision }, ok: true });
        });
        return;
      }
      case 'ask-promise':
        return this.askPromise(server, life, action);
      case 'promise-answer':
      case 'tell':
      case 'alert':
        return;
    }
  }

  private write(record: LeaderRecord, ifMatch: string): LeaderWrite {
    const now = this.store.readNow();
    const etag = now === 'absent' ? now : now.etag;
    const written = this.store.writeNow(record, this.mutation.storeIgnoresEtags === true ? etag : ifMatch);
    return written === 'conflict' ? { kind: 'conflict' } : { kind: 'written', etag: written.etag };
  }

  /** To the store and back; what is lost on either way is told by the time-out, what is late still happens. */
  private ask<T>(
    server: Server,
    life: number,
    carryOut: () => T,
    silence: T,
    happening: (result: T) => LeaderHappening,
  ): void {
    let answered = false;
    const answer = (result: T): void => {
      if (answered) return;
      answered = true;
      this.happen(server, life, happening(result));
    };
    this.agenda.after(TIMEOUT_MS / server.rate, () => answer(silence));
    if (this.cut(server.name, 'w')) return;
    this.agenda.after(this.delay(server.name), () => {
      const result = carryOut();
      if (this.cut('w', server.name)) return;
      this.agenda.after(this.delay(server.name), () => answer(result));
    });
  }

  private askPromise(
    server: Server,
    life: number,
    { ask, server: name, term }: Extract<LeaderAction, { type: 'ask-promise' }>,
  ): void {
    const other = this.servers.find((each) => each.name === name);
    if (other === undefined || this.cut(server.name, name)) return;
    this.agenda.after(this.delay(server.name), () => {
      if (other.state === null || this.agenda.now < other.pausedUntil) return;
      const event = {
        type: 'promise-asked',
        from: server.name,
        term,
        now: this.clock(other),
        wall: '',
      } as const;
      const result = this.step(other.state, event);
      other.state = result.state;
      const granted = result.actions.some((action) => action.type === 'promise-answer' && action.granted);
      if (this.cut(name, server.name)) return;
      this.agenda.after(this.delay(name), () =>
        this.happen(server, life, { type: 'promise-answered', ask, server: name, granted }),
      );
    });
  }

  private schedule(fault: Fault): void {
    const server = this.servers[fault.server % this.servers.length];
    if (server === undefined) return;
    this.agenda.at(fault.at, () => {
      if (fault.kind === 'pause') server.pausedUntil = fault.at + fault.ms;
      if (fault.kind !== 'crash') return;
      server.state = null;
      server.life += 1;
      this.agenda.after(fault.ms, () => this.boot(server));
    });
  }

  private cut(from: string, to: string): boolean {
    return (
      this.active('cut-witness').some(
        ({ server }) => [from, to].includes(this.nameOf(server)) && [from, to].includes('w'),
      ) ||
      (this.active('witness').length > 0 && [from, to].includes('w')) ||
      this.active('cut-servers').some(
        ({ server }) => [from, to].includes(this.nameOf(server)) && ![from, to].includes('w'),
      )
    );
  }

  private delay(name: string): number {
    const slow = this.active('slow').some(({ server }) => this.nameOf(server) === name);
    return slow ? this.random.between(50, 2.5 * TTL_MS) : this.random.between(1, 20);
  }

  private active(kind: Fault['kind']): Fault[] {
    const { now } = this.agenda;
    return this.plan.faults.filter((f) => f.kind === kind && f.at <= now && now < f.at + f.ms);
  }

  private nameOf(index: number): string {
    return this.servers[index % this.servers.length]?.name ?? '';
  }

  private clock({ rate }: Server): number {
    return this.agenda.now * rate;
  }

  private leads(server: Server): boolean {
    return server.state !== null && this.clock(server) < leadsUntil(server.state);
  }

  private checkOne(): void {
    const leading = this.servers.filter((server) => this.leads(server));
    if (leading.length > 1) {
      const names = leading.map(({ name }) => name).join(' and ');
      throw new LeadershipBrokenError(`${names} lead at ${Math.round(this.agenda.now)} ms`);
    }
  }
}

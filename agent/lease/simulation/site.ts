/** One simulated site: a process around the real core, with a disk, a skewed clock and a vector store that is a set. */
import type { LeaseHistoryEntry, PromiseResponse, PublishInfo } from '../../../infra/contract/agent-api';
import { initialState, step as realStep } from '../core';
import { lineageReason } from '../lineage';
import type {
  Action,
  Happening,
  LeaseConfig,
  LeaseState,
  PeerStatus,
  ReadResult,
  WriteResult,
} from '../model';
import { EMPTY_STATE, type PersistedState } from '../ports';
import { tickEveryMs } from '../timing';
import { holdsLease, isWritable, siteState } from '../view';
import { checkPatience } from './invariants';
import type { Mutation } from './mutation';
import { REQUEST_TIMEOUT_MS, type SiteName } from './plan';
import type { World } from './world';

interface Trap {
  readonly kind: 'pause-on' | 'crash-on';
  readonly action: Action['type'];
  readonly before: boolean;
  readonly ms: number;
  left: number;
}

export class SimulatedSite {
  state: LeaseState;
  alive = true;
  data = new Set<number>();
  canaryFailsUntil = 0;
  recoveringUntil = 0;
  unpromotableUntil = 0;
  startedAt = 0;
  /** Counts processes, so that nothing meant for a dead one reaches its successor. */
  process = 0;
  readonly traps: Trap[] = [];
  disk: PersistedState = EMPTY_STATE;
  private pausedUntil = 0;
  private diskFreeAt = 0;
  private readonly step: typeof realStep;
  private asked = 0;

  constructor(
    readonly name: SiteName,
    private readonly world: World,
    private readonly config: LeaseConfig,
    private readonly rate: number,
    private readonly offset: number,
    private readonly mutation: Mutation,
  ) {
    this.step = mutation.step?.(realStep) ?? realStep;
    this.state = initialState(config, null, `${name}0`, this.localNow());
  }

  get peer(): SimulatedSite {
    return this.world.site(this.name === 'a' ? 'b' : 'a');
  }

  localNow(): number {
    return this.offset + this.world.agenda.now * this.rate;
  }

  paused(): boolean {
    return this.pausedUntil > this.world.agenda.now;
  }

  writable(): boolean {
    const rule = this.mutation.writesDuringHandover === true ? holdsLease : isWritable;
    return this.alive && rule(this.state, this.localNow());
  }

  promotable(): boolean {
    const { now } = this.world.agenda;
    return now >= this.canaryFailsUntil && now >= this.unpromotableUntil;
  }

  recovering(): boolean {
    return this.world.agenda.now < Math.min(this.recoveringUntil, this.canaryFailsUntil);
  }

  start(): void {
    this.process += 1;
    this.alive = true;
    this.pausedUntil = 0;
    this.startedAt = this.world.agenda.now;
    this.world.proposedAt.delete(this.name);
    const persisted = this.mutation.load?.(this.disk) ?? this.disk;
    this.state = initialState(this.config, persisted, `${this.name}${this.process}`, this.localNow());
    this.state = this.mutation.started?.(this.state, this.localNow()) ?? this.state;
    this.tick(this.process);
  }

  pause(ms: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, this.world.agenda.now + ms);
  }

  crash(downMs: number): void {
    if (!this.alive) return;
    this.alive = false;
    const { process } = this;
    if (downMs === Infinity) return;
    this.world.agenda.after(downMs, () => {
      if (!this.alive && this.process === process) this.start();
    });
  }

  resume(): void {
    this.pausedUntil = 0;
    if (!this.alive) this.start();
  }

  /** Runs in this process as soon as it is not paused; never in another one. */
  inProcess(process: number, action: () => void): void {
    if (!this.alive || this.process !== process) return;
    if (this.paused()) this.world.agenda.at(this.pausedUntil, () => this.inProcess(process, action));
    else action();
  }

  feed(happening: Happening): readonly Action[] {
    if (!this.alive) return [];
    const { now } = this.world.agenda;
    const promotable = this.promotable();
    const result = this.step(this.state, {
      ...happening,
      now: this.localNow(),
      wall: new Date(now).toISOString(),
      local: {
        promotable: {
          promotable,
          site: this.name,
          reasons: promotable ? [] : [{ code: 'SIMULATED', message: 'not promotable now' }],
        },
        canary: now < this.canaryFailsUntil ? 'failing' : 'healthy',
        recovering: this.recovering(),
        dataAgeSeconds: 10,
      },
    });
    this.state = result.state;
    if (this.recovering()) checkPatience(this.name, result.actions, now);
    for (const action of result.actions) if (action.type === 'write') this.world.decided(this, action.lease);
    this.performFrom(result.actions, 0, this.process);
    return result.actions;
  }

  /** Writes that reach this site while it is writable: checked before forwarding and before acknowledging. */
  clientWrite(id: number): void {
    const { agenda, random } = this.world;
    if (!this.alive || this.paused() || !this.writable()) return;
    const { process } = this;
    agenda.after(random.between(0, 5), () => this.inProcess(process, () => this.data.add(id)));
    agenda.after(random.chance(0.5) ? 6 : random.between(5, 400), () =>
      this.inProcess(process, () => {
        const epoch = this.state.hold?.epoch ?? this.state.persisted.lastHeldEpoch;
        if (epoch === null || (!this.writable() && this.mutation.acknowledgesUnchecked !== true)) return;
        // Between the last check and the answer on the wire there is some time; the safety margin is for it.
        const delay = random.chance(0.5) ? 1 : random.between(0, 0.8 * this.world.plan.marginMs);
        agenda.after(delay, () => this.world.acknowledged(id, epoch, this.name));
      }),
    );
  }

  private tick(process: number): void {
    const { agenda } = this.world;
    this.inProcess(process, () => this.feed({ type: 'tick' }));
    if (this.process !== process) return;
    agenda.after(tickEveryMs(this.config) / this.rate, () => this.tick(process));
  }

  private performFrom(actions: readonly Action[], index: number, process: number): void {
    for (let i = index; i < actions.length; i += 1) {
      const action = actions[i];
      if (action === undefined || !this.alive || this.process !== process) return;
      const trap = this.traps.find((each) => each.action === action.type && each.left > 0);
      if (trap !== undefined) trap.left -= 1;
      const sprung = trap?.left === 0 ? trap : undefined;
      if (sprung?.before !== true) this.perform(action, process);
      if (sprung === undefined) continue;
      if (sprung.kind === 'crash-on') return this.crash(sprung.ms);
      this.pause(sprung.ms);
      this.inProcess(process, () => this.performFrom(actions, sprung.before ? i : i + 1, process));
      return;
    }
  }

  private perform(action: Action, process: number): void {
    const { world } = this;
    const { store, agenda } = world;
    switch (action.type) {
      case 'read':
        return this.request<ReadResult>(
          'w',
          process,
          () => world.faulty.read(),
          (result) =>
            this.feed({
              type: 'read-done',
              op: action.op,
              result: result ?? { kind: 'unreachable', detail: 'time' },
            }),
        );
      case 'write': {
        return this.request<WriteResult>(
          'w',
          process,
          () => world.faulty.write(action.lease, action.ifMatch),
          (result) =>
            this.feed({
              type: 'write-done',
              op: action.op,
              result: result ?? { kind: 'unknown', detail: 'time' },
            }),
        );
      }
      case 'persist':
        return this.persist(process, action.seq, action.value);
      case 'ask-promise':
        return this.requestPeer<PromiseResponse>(
          process,
          () => this.peer.promiseAnswer(this.name, action.epoch),
          (answer) => this.feed({ type: 'promise-answered', id: action.id, answer }),
        );
      case 'ask-peer':
        return this.requestPeer<PeerStatus>(
          process,
          () => this.peer.status(),
          (status) => this.feed({ type: 'peer-status', id: action.id, status }),
        );
      case 'wake-peer':
        return this.requestPeer<null>(
          process,
          () => {
            this.peer.feed({ type: 'wake' });
            return null;
          },
          () => undefined,
        );
      case 'sync':
        return this.sync(process, action.id, action.boundMs);
      case 'read-history':
        return this.request<readonly LeaseHistoryEntry[]>(
          'w',
          process,
          () => store.historyNow(),
          (entries) =>
            this.feed({
              type: 'history-read',
              id: action.id,
              switches:
                entries
                  ?.filter((entry) => entry.cause !== 'bootstrap')
                  .map((entry) => ({
                    ageMs: agenda.now - Date.parse(entry.at),
                    automatic: entry.cause === 'expired' || entry.cause === 'handover-sick',
                  })) ?? null,
            }),
        );
      case 'append-history':
        return this.request<true>(
          'w',
          process,
          () => {
            store.appendHistoryNow(action.entry);
            return true;
          },
          (ok) => this.feed({ type: 'history-written', id: action.id, ok: ok === true }),
        );
      case 'emit':
        return world.told(this, action.kind, action.detail);
      case 'promise-answer':
      case 'answer':
        return;
    }
  }

  /** One after the other; on disk at some moment before the process hears of it. */
  private persist(process: number, seq: number, value: PersistedState): void {
    const { agenda, random } = this.world;
    const onDisk = Math.max(agenda.now, this.diskFreeAt) + random.between(0, 3);
    this.diskFreeAt = onDisk;
    agenda.at(onDisk, () => {
      if (this.process !== process || !this.alive) return;
      this.disk = value;
      this.world.persisted(this, value);
    });
    agenda.at(onDisk + random.between(0, 5), () =>
      this.inProcess(process, () => void this.feed({ type: 'persist-done', seq, ok: true })),
    );
  }

  /** A request to the witness or the peer: either leg may be lost, late or doubled; the caller gives up after a while. */
  private request<T>(
    to: 'w' | SiteName,
    process: number,
    serve: () => T | undefined,
    done: (result: T | null) => void,
  ): void {
    const { network, agenda } = this.world;
    let settled = false;
    const settle = (result: T | null): void => {
      if (settled) return;
      settled = true;
      this.inProcess(process, () => done(result));
    };
    agenda.after(REQUEST_TIMEOUT_MS / this.rate, () => settle(null));
    network.send(`${this.name}>${to}`, () => {
      const result = serve();
      if (result !== undefined) network.send(`${to}>${this.name}`, () => settle(result));
    });
  }

  private requestPeer<T>(
    process: number,
    serve: () => T | undefined,
    done: (result: T | null) => void,
  ): void {
    const { peer } = this;
    this.request<T>(peer.name, process, () => (peer.alive && !peer.paused() ? serve() : undefined), done);
  }

  private promiseAnswer(from: SiteName, epoch: number): PromiseResponse | undefined {
    const actions = this.feed({ type: 'promise-asked', id: ++this.asked, request: { from, epoch } });
    const found = actions.find((action) => action.type === 'promise-answer');
    return this.alive ? found?.answer : undefined;
  }

  private status(): PeerStatus {
    const { state } = this;
    const shown = state.hold ?? (state.observed?.kind === 'lease' ? state.observed.lease : null);
    const promotable = this.promotable() && lineageReason(state.persisted) === null;
    if (promotable) this.world.lastPromotable.set(this.name, this.world.agenda.now);
    return {
      state: siteState(state, this.localNow()),
      lease:
        shown === null ? null : { epoch: shown.epoch, holder: 'holder' in shown ? shown.holder : this.name },
      witness: state.witness,
      promotable,
    };
  }

  /** Publish through the store, have the peer apply: it ends with the peer's data equal to this site's, or not at all. */
  private sync(process: number, id: number, boundMs: number): void {
    const { network, agenda, random } = this.world;
    const { peer } = this;
    let settled = false;
    const settle = (publish: PublishInfo | null): void => {
      if (settled) return;
      settled = true;
      this.inProcess(process, () => this.feed({ type: 'sync-done', id, publish }));
    };
    agenda.after(boundMs / this.rate, () => settle(null));
    agenda.after(random.between(10, 600), () => {
      const copy = new Set(this.data);
      const links = [`${this.name}>w`, `w>${peer.name}`, `${this.name}>${peer.name}`] as const;
      if (!links.every((link) => network.reaches(link))) return;
      agenda.after(random.between(10, 600), () => {
        if (!peer.alive || peer.paused() || peer.state.hold !== null) return;
        peer.data = new Set(copy);
        network.send(`${peer.name}>${this.name}`, () =>
          settle({
            id: 'sync',
            site: this.name,
            epoch: this.state.hold?.epoch ?? 0,
            points: copy.size,
            bytes: 0,
          }),
        );
      });
    });
  }
}

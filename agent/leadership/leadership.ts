/**
 * Runs the core of who leads: feeds it what happens, carries out what it asks for, keeps the copy on this server's disk,
 * and tells when this server begins and ends to lead. All decisions are the core's.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../lease';
import { describeError } from '../shared/errors';
import { initialLeaderState, leaderStep } from './core';
import type { LeaderCopy } from './copy';
import { LeaderCorruptError, MemoryNotSavedError, NotLeadingError } from './errors';
import {
  ABSENT,
  leadsUntil,
  type LeaderAction,
  type LeaderConfig,
  type LeaderHappening,
  type LeaderRead,
  type LeaderState,
  type LeaderWrite,
} from './model';
import type { LeaderRecord } from './record';
import type { LeaderStore } from './store';

export interface LeadershipOptions {
  readonly config: LeaderConfig;
  readonly store: LeaderStore;
  readonly copy: LeaderCopy;
  readonly clock: Clock;
  /** Longest that the store, or another server, may take to answer. */
  readonly requestTimeoutMs: number;
  /** Asks another server of the site for its promise; throws when it does not answer. */
  readonly askPromise: (server: string, term: number) => Promise<boolean>;
  readonly tell: (kind: 'alert' | 'leader', detail: string) => void;
}

interface Waiting {
  readonly revision: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Leadership {
  private core: LeaderState | null = null;
  private stopped = false;
  private cancelTick: () => void = () => undefined;
  private saving: Promise<void> = Promise.resolve();
  private readonly waiting = new Set<Waiting>();
  private readonly watchers = new Set<() => void>();

  constructor(private readonly options: LeadershipOptions) {}

  async start(): Promise<void> {
    const { config, copy, clock } = this.options;
    const disk = await copy.load();
    const incarnation = randomBytes(6).toString('hex');
    this.core = initialLeaderState(config, disk, incarnation, clock.now());
    this.tick();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelTick();
    this.settle();
    await this.saving;
    this.options.store.close();
  }

  /** Until when this server leads, by the keeper's clock; asked anew each time. */
  leadsUntil(): number {
    return this.core === null || this.stopped ? -Infinity : leadsUntil(this.core);
  }

  get leads(): boolean {
    return this.options.clock.now() < this.leadsUntil();
  }

  /** Grows whenever a server begins to lead; null once another may have. One that is merely late keeps its term. */
  get term(): number | null {
    return this.core?.lead?.term ?? null;
  }

  /** Who leads, as the store last said. */
  seen(): { readonly leader: string; readonly term: number } | null {
    const seen = this.core?.seen;
    return seen?.kind === 'record' ? { leader: seen.record.leader, term: seen.record.term } : null;
  }

  /** Resolves when `condition` holds; it is asked whenever something has happened. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.stopped) {
      await new Promise<void>((resolve) => this.watchers.add(resolve));
    }
  }

  /** A part of the site's memory, for whoever leads. */
  recall(part: string): unknown {
    const memory = this.core?.lead?.memory;
    if (memory === undefined) throw new NotLeadingError(this.options.config.server);
    return memory[part] ?? null;
  }

  /** Resolves when the value is in the store under this server's leadership, and on its disk. */
  remember(part: string, value: unknown): Promise<void> {
    const { config } = this.options;
    if (!this.leads) return Promise.reject(new NotLeadingError(config.server));
    return new Promise((resolve, reject) => {
      const revision = (this.core?.lead?.revision ?? 0) + 1;
      this.waiting.add({ revision, resolve, reject });
      this.dispatch({ type: 'remember', part, value });
    });
  }

  /** Another server of the site leads and cannot reach the witness. */
  onPromise(from: string, term: number): boolean {
    const actions = this.dispatch({ type: 'promise-asked', from, term });
    return actions.some((action) => action.type === 'promise-answer' && action.granted);
  }

  private tick(): void {
    if (this.stopped) return;
    const { clock, config } = this.options;
    this.cancelTick = clock.timer(Math.min(250, config.ttlMs / 20), () => this.tick());
    this.dispatch({ type: 'tick' });
  }

  private dispatch(happening: LeaderHappening): readonly LeaderAction[] {
    if (this.core === null || this.stopped) return [];
    const { clock } = this.options;
    const result = leaderStep(this.core, { ...happening, now: clock.now(), wall: clock.wall() });
    this.core = result.state;
    for (const action of result.actions) this.perform(action);
    this.settle();
    return result.actions;
  }

  private perform(action: LeaderAction): void {
    const { store, askPromise, tell } = this.options;
    switch (action.type) {
      case 'read': {
        const { op } = action;
        void this.read().then((result) => this.dispatch({ type: 'read-done', op, result }));
        return;
      }
      case 'write': {
        const { op } = action;
        const sent = this.bounded(store.write(action.record, action.ifMatch)).then(
          (written): LeaderWrite =>
            written === 'conflict' ? { kind: 'conflict' } : { kind: 'written', etag: written.etag },
          (error: unknown): LeaderWrite => ({ kind: 'unknown', detail: describeError(error) }),
        );
        void sent.then((result) => this.dispatch({ type: 'write-done', op, result }));
        return;
      }
      case 'save-copy':
        return this.saveCopy(action.record);
      case 'ask-promise': {
        const { ask, server } = action;
        void this.bounded(askPromise(server, action.term))
          .catch(() => false) // no answer is no promise
          .then((granted) => this.dispatch({ type: 'promise-answered', ask, server, granted }));
        return;
      }
      case 'promise-answer':
        return; // read from the actions by onPromise
      case 'tell':
        return tell('leader', action.detail);
      case 'alert':
        return tell('alert', `${action.code}: ${action.detail}`);
    }
  }

  private async read(): Promise<LeaderRead> {
    try {
      const found = await this.bounded(this.options.store.read());
      return found === ABSENT ? { kind: 'absent' } : { kind: 'record', ...found };
    } catch (error) {
      const kind = error instanceof LeaderCorruptError ? 'corrupt' : 'unreachable';
      return { kind, detail: describeError(error) };
    }
  }

  /** One after the other, in the order in which they were seen. */
  private saveCopy(record: LeaderRecord): void {
    const { term, revision } = record;
    this.saving = this.saving.then(async () => {
      let ok = true;
      try {
        await this.options.copy.save(record);
      } catch (error) {
        ok = false;
        this.options.tell('alert', `LEADER_COPY_NOT_SAVED: ${describeError(error)}`);
      }
      this.dispatch({ type: 'copy-saved', position: { term, revision }, ok });
    });
  }

  /** Answers whoever waits for something to have become true, or to be known not to. */
  private settle(): void {
    const lead = this.core?.lead ?? null;
    const copied = this.core?.copy ?? null;
    for (const waiting of this.waiting) {
      if (lead === null || this.stopped) {
        waiting.reject(new NotLeadingError(this.options.config.server));
      } else if (
        lead.storedRevision >= waiting.revision &&
        copied?.term === lead.term &&
        copied.revision >= waiting.revision
      ) {
        waiting.resolve();
      } else if (lead.troubled) {
        waiting.reject(new MemoryNotSavedError('the witness does not answer'));
      } else continue;
      this.waiting.delete(waiting);
    }
    const watchers = [...this.watchers];
    this.watchers.clear();
    for (const watcher of watchers) watcher();
  }

  private bounded<T>(work: Promise<T>): Promise<T> {
    const { clock, requestTimeoutMs } = this.options;
    return new Promise((resolve, reject) => {
      const cancel = clock.timer(requestTimeoutMs, () =>
        reject(new Error(`no answer within ${requestTimeoutMs} ms`)),
      );
      work.then(resolve, reject).finally(cancel);
    });
  }
}

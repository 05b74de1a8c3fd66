/**
 * Publish, apply, re-protect, promote and switch, one at a time: the seam between the API and what does the work.
 */
import type {
  PromoteRequest,
  PublishInfo,
  ReprotectRequest,
  RestoreRequest,
  RestoreTestVerdict,
  SwitchRequest,
  SwitchResponse,
} from '../../infra/contract/agent-api';
import { SkippedError, messageOf } from './errors';
import type { KeeperPort, RecordEvent, SiteClock } from './ports';
import type { Applier, ApplyRequest } from './snapshots/apply';
import type { Publisher } from './snapshots/publish';
import type { RestoreTester } from './snapshots/restore-test';
import type { Rewinder } from './snapshots/rewind';
import type { Ledger } from './state/ledger';

export type Busy = 'publish' | 'apply' | 'restore' | 'restore-test' | 'switch';

export interface OperationsOptions {
  readonly site: string;
  readonly keeper: KeeperPort;
  readonly publisher: Pick<Publisher, 'publish' | 'hurry'>;
  readonly applier: Pick<Applier, 'apply' | 'stop' | 'stopUnlessTouching' | 'allow'>;
  readonly rewinder: Pick<Rewinder, 'rewind' | 'resume'>;
  readonly tester: Pick<RestoreTester, 'test' | 'stop'>;
  readonly peer: { apply(publishId: string, timeoutMs: number): Promise<PublishInfo> };
  readonly ledger: Ledger;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
}

/** A promotion waits this long for an apply to end before it is refused. */
const PROMOTE_WAIT_MS = 60_000;

export class Operations {
  private running: { readonly kind: Busy; readonly done: Promise<void> } | null = null;
  private switching = false;

  constructor(private readonly options: OperationsOptions) {}

  get busy(): Busy | null {
    return this.switching ? 'switch' : (this.running?.kind ?? null);
  }

  async publish(): Promise<PublishInfo> {
    this.refuseWhenBusy();
    return this.exclusively('publish', () => this.options.publisher.publish());
  }

  async apply(): Promise<PublishInfo> {
    this.refuseWhenBusy();
    return this.exclusively('apply', () => this.options.applier.apply());
  }

  /** The service's data becomes that of an earlier publish. */
  async restore(request: RestoreRequest): Promise<PublishInfo> {
    this.refuseWhenBusy();
    return this.exclusively('restore', () => this.options.rewinder.rewind(request));
  }

  async resumeRestore(): Promise<PublishInfo | null> {
    this.refuseWhenBusy();
    return this.exclusively('restore', () => this.options.rewinder.resume());
  }

  /** Brings something of the history back beside the data. Everything else goes first. */
  async testRestore(): Promise<RestoreTestVerdict> {
    this.refuseWhenBusy();
    return this.exclusively('restore-test', () => this.options.tester.test());
  }

  /** This site is needed: what can wait ends at once. */
  endTest(reason: string): void {
    this.options.tester.stop(reason);
  }

  /** For the holder's last sync: waits for a running apply, then makes sure of exactly this publish. */
  async applyExactly(publishId: string): Promise<PublishInfo> {
    this.endTest('a last publish is to be applied');
    await this.idle();
    this.refuseWhenBusy();
    return this.exclusively('apply', () => this.applyOrKeep({ publishId }));
  }

  async reprotect(request: ReprotectRequest): Promise<PublishInfo> {
    const { keeper, record } = this.options;
    this.refuseWhenBusy();
    return this.exclusively('apply', async () => {
      record('switch-step', `re-protection asked for by ${request.by}: ${request.reason}`);
      const { site } = this.options;
      const before = keeper.state();
      if (keeper.lease()?.holder !== site) await keeper.beginReprotect();
      const setAside = before === 'fenced' || before === 're-protecting';
      const info = await this.applyOrKeep({ reprotect: true, setAside });
      await keeper.markReprotected(info);
      return info;
    });
  }

  async promote(request: PromoteRequest): Promise<SwitchResponse> {
    const { applier, keeper } = this.options;
    return this.whileSwitching(async () => {
      const reason = 'this site is being promoted';
      try {
        applier.stopUnlessTouching(reason);
        this.endTest(reason);
        if (!(await this.idle(PROMOTE_WAIT_MS))) {
          throw new SkippedError(
            'APPLYING',
            'A publish is being put into Qdrant; promoting now would leave half of it. Try again.',
          );
        }
        applier.stop(reason);
        return await keeper.promote(request);
      } finally {
        applier.allow();
      }
    });
  }

  switch(request: SwitchRequest): Promise<SwitchResponse> {
    return this.whileSwitching(() => this.options.keeper.switch(request));
  }

  /**
   * Publishes and has the peer apply that publish, within the bound; null when it could not. While the keeper refuses
   * writes this is the last publish of a hand-over, and what is here is then known to be at the peer as well.
   */
  async finalSync(deadlineMs: number): Promise<PublishInfo | null> {
    const { clock, record } = this.options;
    const endsAt = clock.monotonicMs() + deadlineMs;
    try {
      return await within(deadlineMs, this.sync(endsAt));
    } catch (error) {
      record('switch-step', `the peer could not be brought up to date: ${messageOf(error)}`);
      return null;
    }
  }

  private async sync(endsAt: number): Promise<PublishInfo> {
    const { keeper, publisher, peer, ledger, clock, record } = this.options;
    publisher.hurry();
    if (!(await this.idle(endsAt - clock.monotonicMs())))
      throw new SkippedError('BUSY', 'Another publish did not end in time.');
    const writesRefused = !keeper.isWritable();
    const info = await this.exclusively('publish', () => publisher.publish(writesRefused));
    const leftMs = endsAt - clock.monotonicMs();
    if (leftMs <= 0)
      throw new SkippedError('TOO_LATE', `${info.id} was published, but no time was left to apply it.`);
    const applied = await peer.apply(info.id, leftMs);
    if (applied.id !== info.id) {
      throw new SkippedError('OTHER_PUBLISH', `The peer was to apply ${info.id} and applied ${applied.id}.`);
    }
    const { published } = ledger.state;
    if (writesRefused && published !== null && published.id === info.id) {
      await ledger.update({ applied: { ...published, via: 'hand-over' } });
    }
    record('switch-step', `the peer has applied ${info.id}${writesRefused ? ', the last publish' : ''}`);
    return info;
  }

  /** What is here already, verified, counts as applied. */
  private async applyOrKeep(request: ApplyRequest): Promise<PublishInfo> {
    try {
      return await this.options.applier.apply(request);
    } catch (error) {
      const { applied } = this.options.ledger.state;
      const kept = error instanceof SkippedError && error.code === 'ALREADY_APPLIED' && applied !== null;
      if (!kept) throw error;
      const { id, site, epoch, points, bytes } = applied;
      return { id, site, epoch, points, bytes };
    }
  }

  private refuseWhenBusy(): void {
    const { busy } = this;
    if (busy !== null) throw this.busyError(busy);
  }

  private busyError(busy: Busy): SkippedError {
    return new SkippedError(
      'BUSY',
      `A ${busy} is under way on ${this.options.site}. Try again when it has ended.`,
    );
  }

  private async whileSwitching<T>(work: () => Promise<T>): Promise<T> {
    if (this.switching) throw this.busyError('switch');
    this.switching = true;
    try {
      return await work();
    } finally {
      this.switching = false;
    }
  }

  private exclusively<T>(kind: Busy, work: () => Promise<T>): Promise<T> {
    // Two that waited for the same end wake up together; the second has to see the first.
    if (this.running !== null) return Promise.reject(this.busyError(this.running.kind));
    const result = work().finally(() => {
      this.running = null;
    });
    this.running = { kind, done: result.then(noop, noop) };
    return result;
  }

  /** False when what is running does not end within the bound. */
  private async idle(boundMs = PROMOTE_WAIT_MS): Promise<boolean> {
    const endsAt = this.options.clock.monotonicMs() + boundMs;
    while (this.running !== null) {
      const leftMs = endsAt - this.options.clock.monotonicMs();
      if (leftMs <= 0) return false;
      try {
        await within(leftMs, this.running.done);
      } catch {
        return false;
      }
      await Promise.resolve();
    }
    return true;
  }
}

function noop(): void {
  /* the outcome is the caller's; here only the end matters */
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new SkippedError('TOO_LATE', `not done within ${Math.round(ms)} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

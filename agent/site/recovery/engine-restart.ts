/**
 * Restarting a stuck engine, before and beside handing over: the agent asks, a unit of root's does it. Whether to ask is
 * decided at once, so that the lease never sees a sick site that has yet to think about it; the asking comes after what
 * was decided is on disk, so that no number of crashes restarts the engine more often than is allowed.
 */
import type { Health } from '../../../infra/contract/agent-api';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import type { ProbeResult } from '../canary/verdict';
import { messageOf } from '../errors';
import type { RecordEvent, SiteClock } from '../ports';
import type { RestartLog } from './restart-log';
import type { RestartRequest } from './restart-request';

export const HOUR_MS = 3_600_000;

export interface EngineRestartOptions {
  readonly switching: Pick<SiteAgentSpec['switching'], 'engineRestartGraceSeconds' | 'engineRestartsPerHour'>;
  readonly startTimeoutSeconds: number;
  /** Failed probes in a row after a restart that make it one that did not help. */
  readonly failureThreshold: number;
  readonly log: RestartLog;
  readonly clock: SiteClock;
  readonly request: Pick<RestartRequest, 'ask' | 'withdraw'>;
  readonly record: RecordEvent;
}

export interface EngineRestartsView {
  readonly inLastHour: number;
  readonly perHour: number;
}

export class EngineRestart {
  /** Monotonic time of the restart that a hand-over waits for: the first since the engine was last well. */
  private waitingSince: number | null = null;
  private asked = false;
  /** Failed probes of an engine that is there, since it was last well or restarted. */
  private stuck = 0;
  private nobodyListensSince: number | null = null;
  private refusalTold = false;
  private work: Promise<void> = Promise.resolve();

  constructor(private readonly options: EngineRestartOptions) {
    const last = options.log.lastAgeMs();
    // The process before this one has asked, and the hand-over waits no longer because of a new process.
    if (last !== null) this.waitingSince = options.clock.monotonicMs() - last;
  }

  start(): void {
    const { unreadable } = this.options.log;
    if (unreadable !== null)
      this.options.record('alert', `ENGINE_RESTARTS_UNKNOWN: ${unreadable.why}; there is none for an hour`);
  }

  /** To be called after every probe, with the verdict that it led to. */
  onProbe({ outcome, absent, detail }: ProbeResult, health: Health, before: Health): void {
    if (health === 'healthy') this.well();
    if (outcome !== 'failed') {
      this.stuck = 0;
      this.nobodyListensSince = null;
      return;
    }
    if (absent === true) return this.nobodyListens(health, detail);
    this.nobodyListensSince = null;
    this.stuck += 1;
    const becameFailing = health === 'failing' && before !== 'failing';
    const failsAgain = health === 'failing' && this.stuck >= this.options.failureThreshold;
    if (becameFailing || failsAgain) this.consider(detail);
  }

  /** True while a hand-over waits for what the restart brings. */
  recovering(): boolean {
    const { clock, switching } = this.options;
    if (this.waitingSince === null) return false;
    return clock.monotonicMs() - this.waitingSince < switching.engineRestartGraceSeconds * 1000;
  }

  view(): EngineRestartsView {
    const { log, switching } = this.options;
    return { inLastHour: log.countWithin(HOUR_MS), perHour: switching.engineRestartsPerHour };
  }

  /** Resolves when nothing is being written or asked for. */
  settled(): Promise<void> {
    return this.work;
  }

  private well(): void {
    this.waitingSince = null;
    this.refusalTold = false;
    if (!this.asked) return;
    this.asked = false;
    // One that nobody has taken would restart an engine that is well again.
    this.work = this.work
      .then(() => this.options.request.withdraw())
      .catch((error: unknown) => this.options.record('alert', `ENGINE_RESTART_PENDING: ${messageOf(error)}`));
  }

  /** The service manager starts a dead engine by itself, and one that loads its model must not be made to begin again. */
  private nobodyListens(health: Health, detail: string): void {
    this.stuck = 0;
    const now = this.options.clock.monotonicMs();
    this.nobodyListensSince ??= now;
    if (health !== 'failing' || now - this.nobodyListensSince < this.options.startTimeoutSeconds * 1000)
      return;
    this.nobodyListensSince = now;
    this.consider(`${detail}, for longer than a start may take`);
  }

  private consider(detail: string): void {
    // The first restart gets its chance before there is a second.
    if (this.recovering()) return;
    const { log, record } = this.options;
    const { inLastHour, perHour } = this.view();
    if (perHour === 0) return;
    if (inLastHour >= perHour) {
      if (!this.refusalTold)
        record('alert', `ENGINE_RESTARTS_USED_UP: ${perHour} in an hour is the bound; ${detail}`);
      this.refusalTold = true;
      return;
    }
    this.stuck = 0;
    const noted = log.add();
    // Of one illness only the first restart is waited for, or a hand-over could be put off again and again.
    if (!this.asked) this.waitingSince = this.options.clock.monotonicMs();
    this.asked = true;
    record('engine-restart', `${inLastHour + 1} of ${perHour} in an hour: ${detail}`);
    this.work = this.work.then(() => this.ask(noted));
  }

  private async ask(noted: Promise<void>): Promise<void> {
    try {
      await noted;
      await this.options.request.ask();
    } catch (error) {
      // Nothing will come of it: nobody waits.
      this.waitingSince = null;
      this.options.record('alert', `ENGINE_NOT_RESTARTED: ${messageOf(error)}`);
    }
  }
}

/** Probes in the background and keeps the verdict: whoever asks gets an answer at once, with its age. */
import type { Health } from '../../../infra/contract/agent-api';
import { messageOf } from '../errors';
import type { SiteClock } from '../ports';
import { NO_VERDICT, judge, type ProbeResult, type Verdict, type VerdictRules } from './verdict';

/** A verdict that is older than this many intervals, and a probe still under way, is no verdict any more. */
const STALE_INTERVALS = 3;

export interface CanaryView {
  readonly health: Health;
  readonly ageSeconds: number | null;
  readonly detail: string;
  /** Monotonic milliseconds since when the health is what it is. */
  readonly since: number;
}

export interface CanaryOptions {
  readonly name: string;
  readonly intervalMs: number;
  /** Longest that one probe takes. */
  readonly maxProbeMs: number;
  readonly rules: VerdictRules;
  readonly clock: SiteClock;
  /** Never takes longer than its own deadline. */
  readonly probe: () => Promise<ProbeResult>;
  /** After each probe, with the verdict after and before it; called before anybody can see the new one. */
  readonly onProbe?: (result: ProbeResult, health: Health, before: Health) => void;
  readonly onChange?: (health: Health, before: Health, detail: string) => void;
}

export class Canary {
  private verdict: Verdict = NO_VERDICT;
  private detail = 'not probed yet';
  private probedAt: number | null = null;
  private since: number;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private stopped = false;

  constructor(private readonly options: CanaryOptions) {
    this.since = options.clock.monotonicMs();
  }

  start(): void {
    this.schedule(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  view(): CanaryView {
    const { clock, intervalMs, maxProbeMs } = this.options;
    if (this.probedAt === null)
      return { health: 'unknown', ageSeconds: null, detail: this.detail, since: this.since };
    const ageMs = clock.monotonicMs() - this.probedAt;
    const ageSeconds = ageMs / 1000;
    const staleAfterMs = STALE_INTERVALS * intervalMs + maxProbeMs;
    if (ageMs > staleAfterMs) {
      const detail = `no probe has ended for ${ageSeconds.toFixed(1)} s; the last one said: ${this.detail}`;
      return { health: 'unknown', ageSeconds, detail, since: this.probedAt + staleAfterMs };
    }
    return { health: this.verdict.health, ageSeconds, detail: this.explained(), since: this.since };
  }

  /** A good answer does not explain a bad verdict: then it is the proof that is still missing. */
  private explained(): string {
    const { health, successes } = this.verdict;
    if (health !== 'failing' || successes === 0) return this.detail;
    return `${this.detail}, good ${successes} of the ${this.options.rules.recoveryThreshold} times in a row that are wanted after failures`;
  }

  /** One probe; the loop and tests call it. */
  async probeOnce(): Promise<void> {
    const { probe, rules, clock } = this.options;
    let result: ProbeResult;
    try {
      result = await probe();
    } catch (error) {
      result = { outcome: 'failed', detail: messageOf(error) };
    }
    const before = this.verdict.health;
    this.verdict = judge(this.verdict, result.outcome, rules);
    this.detail = result.detail;
    this.probedAt = clock.monotonicMs();
    const { health } = this.verdict;
    if (health !== before) {
      this.since = this.probedAt;
      this.options.onChange?.(health, before, `${this.options.name}: ${result.detail}`);
    }
    this.options.onProbe?.(result, health, before);
  }

  private schedule(delayMs: number): void {
    this.timer = setTimeout(() => {
      const startedAt = this.options.clock.monotonicMs();
      this.running = this.probeOnce().then(() => {
        if (this.stopped) return;
        const tookMs = this.options.clock.monotonicMs() - startedAt;
        this.schedule(Math.max(0, this.options.intervalMs - tookMs));
      });
    }, delayMs);
  }
}

/** The worse of several; missing proof is not health. */
export function worst(healths: readonly Health[]): Health {
  if (healths.includes('failing')) return 'failing';
  return healths.includes('unknown') ? 'unknown' : 'healthy';
}

/**
 * What a server that does not lead goes by: its leader's word that the site is active. The word holds no longer than the
 * lease that the leader had when it was asked, counted from before the question by this server's own clock.
 */
import type { StandingRequest, StandingResponse } from '../../../infra/contract/agent-api';

export interface StandingOptions {
  /** Names of the servers to ask; the leader alone where it is known. */
  readonly whom: () => readonly string[];
  readonly ask: (server: string, report: StandingRequest) => Promise<StandingResponse>;
  readonly report: () => StandingRequest;
  readonly now: () => number;
  /** Bound on the relative rate of two monotonic clocks, as a fraction. */
  readonly drift: number;
  readonly intervalMs: number;
}

interface Word {
  readonly said: StandingResponse;
  readonly askedAt: number;
}

export class Standing {
  private word: Word | null = null;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly options: StandingOptions) {}

  start(): void {
    this.running = this.round().finally(() => {
      if (!this.stopped) this.timer = setTimeout(() => this.start(), this.options.intervalMs);
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  /** The last word, however old. */
  get last(): StandingResponse | null {
    return this.word?.said ?? null;
  }

  /** The site holds the lease at this moment, for sure. */
  holds(): boolean {
    if (this.word === null) return false;
    const { said, askedAt } = this.word;
    return this.options.now() < askedAt + said.holdsForSeconds * 1000 * (1 - this.options.drift);
  }

  writable(): boolean {
    return this.holds() && this.word?.said.writable === true;
  }

  private async round(): Promise<void> {
    const { whom, ask, report, now } = this.options;
    const askedAt = now();
    const asked = whom().map((server) => ask(server, report()).then((said) => ({ said, askedAt })));
    for (const answer of await Promise.allSettled(asked)) {
      if (answer.status === 'fulfilled') this.hear(answer.value);
    }
  }

  /** A word of an earlier leader may be still on its way. */
  private hear(word: Word): void {
    if (this.word === null || word.said.term >= this.word.said.term) this.word = word;
  }
}

/** Sends a request every period, whether or not the last one has been answered, up to a bound; writes each one down. */
import type { DrillClock } from '../clock';
import type { Attempt, ClientInfo } from '../record';

/** What one request came to. */
export interface Outcome {
  readonly ok: boolean;
  readonly status: number | null;
  readonly site: string | null;
  readonly epoch: number | null;
  readonly address: string | null;
  readonly error: string | null;
  readonly pointId?: number;
  /** What a refusal's Retry-After asked for, in seconds. */
  readonly retryAfterSeconds?: number;
}

export interface LoopClient {
  readonly info: ClientInfo;
  /** Never throws: whatever happens is an outcome. */
  request(seq: number): Promise<Outcome>;
  /** Frees connections. */
  close(): void;
}

/** What a drill starts and stops; its attempts go into the log. */
export interface DrillClient {
  readonly info: ClientInfo;
  /** Whatever takes time before the first request. */
  prepare(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Where a loop writes down what it does; every request that begins is added once it is over. */
export interface AttemptLog {
  begin(client: string, seq: number, start: number): void;
  add(attempt: Attempt): void;
}

export class ClientLoop implements DrillClient {
  private seq = 0;
  private timer: NodeJS.Timeout | null = null;
  private readonly inFlight = new Set<Promise<void>>();
  private readonly maxInFlight: number;

  constructor(
    private readonly client: LoopClient,
    private readonly clock: DrillClock,
    private readonly log: AttemptLog,
  ) {
    // A request that hangs until its deadline must not stop the next from being tried, or the end of an outage
    // would be seen a whole deadline late.
    this.maxInFlight = Math.ceil(client.info.timeoutMs / client.info.periodMs) + 1;
  }

  get info(): ClientInfo {
    return this.client.info;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  start(): void {
    this.timer = setInterval(() => this.tick(), this.client.info.periodMs);
    this.tick();
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await Promise.all(this.inFlight);
    this.client.close();
  }

  private tick(): void {
    if (this.inFlight.size >= this.maxInFlight) return;
    const seq = this.seq;
    this.seq += 1;
    const task = this.attempt(seq).finally(() => this.inFlight.delete(task));
    this.inFlight.add(task);
  }

  private async attempt(seq: number): Promise<void> {
    const client = this.client.info.name;
    const start = this.clock.now();
    this.log.begin(client, seq, start);
    const outcome = await this.client.request(seq);
    this.log.add({ client, seq, start, end: this.clock.now(), ...outcome });
  }
}

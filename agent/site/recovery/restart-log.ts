/** When the restarts of the last hour were asked for; on disk, so that an agent that crashes over and over stays bounded. */
import { z } from 'zod';
import { messageOf } from '../errors';
import type { SiteClock } from '../ports';
import { readIfPresent, writeDurably } from '../state/durable-file';

const Stored = z.object({
  version: z.literal(1),
  /** Oldest first. */
  restarts: z.array(z.object({ bootId: z.string(), monotonicMs: z.number() })),
});
type Restart = z.output<typeof Stored>['restarts'][number];

/** More than any bound an hour, so that dropping older ones never makes room. */
const KEPT = 50;

export class RestartLog {
  private writing: Promise<void> = Promise.resolve();

  private constructor(
    private readonly path: string,
    private readonly clock: SiteClock,
    private restarts: readonly Restart[],
    /** Why nothing is known of what was before, and since when by the monotonic clock. */
    readonly unreadable: { readonly why: string; readonly atMs: number } | null,
  ) {}

  /** A file that cannot be read is never taken for "none yet": then there is none for a while. */
  static async open(path: string, clock: SiteClock): Promise<RestartLog> {
    try {
      const text = await readIfPresent(path);
      const restarts = text === null ? [] : Stored.parse(JSON.parse(text)).restarts;
      return new RestartLog(path, clock, restarts, null);
    } catch (error) {
      const why = `${path} cannot be read: ${messageOf(error)}`;
      return new RestartLog(path, clock, [], { why, atMs: clock.monotonicMs() });
    }
  }

  countWithin(ms: number): number {
    if (this.unreadable !== null && this.clock.monotonicMs() - this.unreadable.atMs < ms) return KEPT;
    return this.restarts.filter((restart) => this.ageMs(restart) < ms).length;
  }

  /** Of the last one in this boot; a boot has restarted the engine anyway. */
  lastAgeMs(): number | null {
    const last = this.restarts.at(-1);
    return last === undefined || last.bootId !== this.clock.bootId ? null : this.ageMs(last);
  }

  /** Counts at once; resolves when it is on disk. */
  add(): Promise<void> {
    const { bootId } = this.clock;
    this.restarts = [...this.restarts, { bootId, monotonicMs: this.clock.monotonicMs() }].slice(-KEPT);
    const text = JSON.stringify({ version: 1, restarts: this.restarts });
    const write = this.writing.then(() => writeDurably(this.path, text));
    this.writing = write.catch(() => undefined);
    return write;
  }

  /** Monotonic time begins anew with a boot: one before it is at least as old as that. */
  private ageMs({ bootId, monotonicMs }: Restart): number {
    const now = this.clock.monotonicMs();
    return bootId === this.clock.bootId ? now - monotonicMs : now;
  }
}

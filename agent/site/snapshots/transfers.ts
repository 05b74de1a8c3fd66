/** What replication moves: totals for machines, and a line for people while a big one is under way. */
import type { SiteClock } from '../ports';

export const DIRECTIONS = ['publish', 'apply', 'restore-test'] as const;
export type Direction = (typeof DIRECTIONS)[number];

export interface Totals {
  readonly bytes: number;
  readonly seconds: number;
}

/** How often a transfer that goes on tells how far it is. */
const TELL_EVERY_MS = 10_000;

export class Transfers {
  private readonly totals: Record<Direction, { bytes: number; seconds: number }> = {
    publish: { bytes: 0, seconds: 0 },
    apply: { bytes: 0, seconds: 0 },
    'restore-test': { bytes: 0, seconds: 0 },
  };

  constructor(
    private readonly clock: Pick<SiteClock, 'monotonicMs'>,
    private readonly tell: (line: string) => void,
  ) {}

  /** Of transfers that ended well, since this process began. */
  total(direction: Direction): Totals {
    return { ...this.totals[direction] };
  }

  /**
   * @param work is given a function to call, as often as it likes, with the bytes that are done and those that there are,
   *   and resolves to what really went over the network, as far as it can tell
   */
  async measure<T>(
    direction: Direction,
    work: (progress: (done: number, total: number) => void) => Promise<{ result: T; bytes: number }>,
  ): Promise<T> {
    const startedMs = this.clock.monotonicMs();
    let toldMs = startedMs;
    const progress = (done: number, total: number): void => {
      const now = this.clock.monotonicMs();
      if (now - toldMs < TELL_EVERY_MS || total <= 0) return;
      toldMs = now;
      const percent = Math.floor((100 * done) / total);
      this.tell(
        `${direction}: ${percent} % of ${size(total)} after ${Math.round((now - startedMs) / 1000)} s`,
      );
    };
    const { result, bytes } = await work(progress);
    const seconds = (this.clock.monotonicMs() - startedMs) / 1000;
    this.totals[direction].bytes += bytes;
    this.totals[direction].seconds += seconds;
    this.tell(`${direction}: moved ${size(bytes)} in ${seconds.toFixed(1)} s`);
    return result;
  }
}

/** `12.3 MB`: powers of ten, as links are sold. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

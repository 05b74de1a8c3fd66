/** Bounds the rate at which several streams together take bytes. */
export class Throttle {
  private freeAt = 0;

  constructor(
    /** Zero is no bound. */
    private readonly bytesPerSecond: number,
    private readonly clock: { nowSeconds(): number; sleep(seconds: number): Promise<void> },
  ) {}

  /** Resolves when these bytes may be taken. */
  async take(bytes: number): Promise<void> {
    if (this.bytesPerSecond === 0) return;
    const now = this.clock.nowSeconds();
    const start = Math.max(now, this.freeAt);
    this.freeAt = start + bytes / this.bytesPerSecond;
    if (start > now) await this.clock.sleep(start - now);
  }
}

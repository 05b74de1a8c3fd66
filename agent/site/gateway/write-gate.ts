/**
 * Knows every write in flight and can hold new ones back for a moment, so that snapshots of all shards are cut at one
 * point in time. Held writes wait, they do not fail; waiting is bounded in number and time.
 */
import { AgentError } from '../../shared/errors';

export class WriteQueueFullError extends AgentError {
  readonly code = 'WRITE_QUEUE_FULL';
}

export interface Ticket {
  /** True once the write may no longer be acknowledged: the data that is handed over was cut without it. */
  readonly revoked: boolean;
  leave(): void;
}

export interface Hold {
  /** True when every write that was in flight has ended; false when the bound passed first. */
  readonly drained: Promise<boolean>;
  /** True while new writes are still being held. */
  readonly inForce: boolean;
  release(): void;
}

interface OpenTicket extends Ticket {
  revoked: boolean;
}

export class WriteGate {
  private readonly inFlight = new Set<OpenTicket>();
  private readonly waiting: { admit: () => void }[] = [];
  private holds = 0;
  private onLeave: (() => void)[] = [];

  constructor(private readonly options: { readonly maxWaiting: number } = { maxWaiting: 1024 }) {}

  get writesInFlight(): number {
    return this.inFlight.size;
  }

  get writesWaiting(): number {
    return this.waiting.length;
  }

  get held(): boolean {
    return this.holds > 0;
  }

  /** Null when the write may go at once: the usual case must not cost a turn of the event loop. */
  waitIfHeld(): Promise<void> | null {
    if (this.holds === 0) return null;
    if (this.waiting.length >= this.options.maxWaiting) {
      throw new WriteQueueFullError(
        `More than ${this.options.maxWaiting} writes wait for a snapshot to be cut. Send this one again in a second.`,
      );
    }
    return new Promise((resolve) => this.waiting.push({ admit: resolve }));
  }

  /** Synchronous with the check that precedes it, so that no write slips between a hold and its count. */
  enter(): Ticket {
    const ticket: OpenTicket = {
      revoked: false,
      leave: () => {
        if (this.inFlight.delete(ticket)) this.announceLeave();
      },
    };
    this.inFlight.add(ticket);
    return ticket;
  }

  /**
   * Holds new writes back for at most `maxMs`, counted from now.
   *
   * @param drainMs how long to wait for the writes in flight
   */
  hold(maxMs: number, drainMs: number): Hold {
    this.holds += 1;
    let inForce = true;
    const release = (): void => {
      if (!inForce) return;
      inForce = false;
      clearTimeout(timer);
      this.holds -= 1;
      if (this.holds === 0) for (const { admit } of this.waiting.splice(0)) admit();
    };
    const timer = setTimeout(release, maxMs);
    return {
      drained: this.drain(Math.min(drainMs, maxMs)),
      get inForce() {
        return inForce;
      },
      release,
    };
  }

  /** Writes in flight now may end, but not be acknowledged as done. */
  revokeInFlight(): number {
    for (const ticket of this.inFlight) ticket.revoked = true;
    return this.inFlight.size;
  }

  private drain(boundMs: number): Promise<boolean> {
    const before = [...this.inFlight];
    const done = (): boolean => before.every((ticket) => !this.inFlight.has(ticket));
    if (done()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (drained: boolean): void => {
        clearTimeout(timer);
        this.onLeave = this.onLeave.filter((listener) => listener !== check);
        resolve(drained);
      };
      const check = (): void => {
        if (done()) finish(true);
      };
      const timer = setTimeout(() => finish(false), boundMs);
      this.onLeave.push(check);
    });
  }

  private announceLeave(): void {
    for (const listener of [...this.onLeave]) listener();
  }
}

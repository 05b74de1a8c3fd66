/** Takes what one target is to be told there, one message after another, however long that takes. */
import type { AlertsStatus } from '../../../infra/contract/agent-api';
import type { AlertTargetKind } from '../../../infra/contract/outward-spec';
import { messageOf } from '../errors';
import { type AlertMessage, AlertRefusedError, AlertUndeliveredError } from './webhook';

export interface DeliveryOptions {
  readonly kind: AlertTargetKind;
  readonly send: (message: AlertMessage) => Promise<void>;
  /** The message that is due, or null. */
  readonly next: () => AlertMessage | null;
  readonly told: (message: AlertMessage) => void;
  readonly waiting: () => number;
  /** Told once for a row of failures, and for each message that is given up. */
  readonly onTrouble: (what: string) => void;
  /** Between 0 and 1. @default Math.random */
  readonly random?: () => number;
  /** Of the first retry; doubled up to a minute. @default 1000 */
  readonly firstRetryMs?: number;
}

const MAX_DOUBLINGS = 6;
const MAX_RETRY_AFTER_MS = 300_000;

export class Delivery {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private stopped = false;
  private failures = 0;
  private delivered = 0;
  private refused = 0;
  private trouble: string | null = null;

  constructor(private readonly options: DeliveryOptions) {}

  get kind(): AlertTargetKind {
    return this.options.kind;
  }

  /** Something may be due. While a retry is waited for, it waits with it. */
  wake(): void {
    if (this.stopped || this.running !== null || this.timer !== null) return;
    this.running = this.drain().then(() => {
      this.running = null;
      // What became due after the last question and before this moment.
      if (!this.stopped && this.timer === null && this.options.next() !== null) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  view(): AlertsStatus['targets'][number] {
    const { delivered, refused, trouble } = this;
    return { kind: this.options.kind, waiting: this.options.waiting(), delivered, refused, trouble };
  }

  private async drain(): Promise<void> {
    for (;;) {
      const message = this.stopped ? null : this.options.next();
      if (message === null) return;
      try {
        await this.options.send(message);
        this.delivered += 1;
      } catch (error) {
        if (!(error instanceof AlertRefusedError)) {
          this.retryAfter(error);
          return;
        }
        this.refused += 1;
        this.options.onTrouble(`given up: ${messageOf(error)}`);
      }
      this.options.told(message);
      this.failures = 0;
      this.trouble = null;
    }
  }

  private retryAfter(error: unknown): void {
    if (this.stopped) return;
    this.failures += 1;
    this.trouble = messageOf(error);
    if (this.failures === 1) this.options.onTrouble(this.trouble);
    const first = this.options.firstRetryMs ?? 1_000;
    const random = (this.options.random ?? Math.random)();
    const backOffMs = first * 2 ** Math.min(this.failures - 1, MAX_DOUBLINGS) * (0.75 + random / 2);
    const asked = error instanceof AlertUndeliveredError ? (error.retryAfterMs ?? 0) : 0;
    this.timer = setTimeout(
      () => {
        this.timer = null;
        this.wake();
      },
      Math.max(backOffMs, Math.min(asked, MAX_RETRY_AFTER_MS)),
    );
  }
}

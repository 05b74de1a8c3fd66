/**
 * Points the service's records at this site while, and only while, it holds the lease.
 *
 * The lease is asked immediately before every write, and no write is waited for longer than the lease lasts. A write that
 * was sent in time and carried out late can still land after another site's: that site looks again every
 * `checkIntervalSeconds` and puts it right. So the name can be wrong for a moment, and writes cannot: they follow the lease.
 */
import type { DnsRecordStatus } from '../../../infra/contract/agent-api';
import type { DnsRecordSpec } from '../../../infra/contract/outward-spec';
import { AgentError } from '../../shared/errors';
import { codeOf, messageOf } from '../errors';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from '../ports';
import { type CloudflareClient, DnsApiError } from './cloudflare-client';
import { movesTo } from './record-plan';

/** The lease went while the record was being moved: not an error, and nothing more is written. */
class LeaseLostError extends AgentError {
  readonly code = 'LEASE_LOST';
}

class RecordNotMovedError extends AgentError {
  readonly code = 'DNS_RECORD_NOT_MOVED';
}

export interface CloudflareRecordOptions {
  readonly spec: DnsRecordSpec;
  readonly client: Pick<CloudflareClient, 'addressRecords' | 'setAddress'>;
  readonly keeper: Pick<KeeperPort, 'lease' | 'writableForSeconds'>;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  /** Between 0 and 1; spreads the tries of two sites and of many after a common outage. @default Math.random */
  readonly random?: () => number;
}

/** The lease is looked at this often: asking costs nothing, and being late leaves clients with a lost site. */
const IDLE_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
/** Doubled this often at most. */
const MAX_DOUBLINGS = 6;
/** What the API asks for is heeded up to here: it is asked again rather than trusted for longer. */
const MAX_RETRY_AFTER_MS = 300_000;

export class CloudflareRecord {
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private again = false;
  private stopped = false;
  private failures = 0;
  private moves = 0;
  private holding = false;
  private detail = 'not looked at yet';
  private verifiedAt: number | null = null;

  constructor(private readonly options: CloudflareRecordOptions) {}

  start(): void {
    this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  /** The lease may have changed hands: look at once. */
  wake(): void {
    if (this.stopped) return;
    if (this.running !== null) this.again = true;
    else this.run();
  }

  view(): DnsRecordStatus {
    const { spec, clock } = this.options;
    const checkedAgeSeconds =
      this.verifiedAt === null ? null : (clock.monotonicMs() - this.verifiedAt) / 1000;
    return {
      name: spec.name,
      state: this.state(),
      detail: this.detail,
      failures: this.failures,
      moves: this.moves,
      checkedAgeSeconds,
    };
  }

  private state(): DnsRecordStatus['state'] {
    if (!this.holding) return 'not-holder';
    if (this.failures > 0) return 'failing';
    return this.verifiedAt === null ? 'looking' : 'here';
  }

  /** One look; answers when the next is due. The loop and tests call it. */
  async round(): Promise<number> {
    const epoch = heldEpoch(this.options.keeper);
    if (epoch === null) return this.idle('this site does not hold the lease');
    this.holding = true;
    try {
      await this.pointHere(epoch);
    } catch (error) {
      if (error instanceof LeaseLostError) return this.idle(error.message);
      return this.failed(error);
    }
    this.failures = 0;
    this.detail = `verified under epoch ${epoch}`;
    this.verifiedAt = this.options.clock.monotonicMs();
    return this.intervalMs;
  }

  private async pointHere(epoch: number): Promise<void> {
    const { spec, client, record } = this.options;
    const plan = async () =>
      movesTo(spec.name, await client.addressRecords(spec.name, this.timeoutMs), spec.addresses);
    const moves = await plan();
    if (moves.length === 0) return;
    for (const { record: stale, to } of moves) {
      // Nothing may come between this look at the lease and the request.
      await client.setAddress(stale, to, this.timeUnder(epoch));
    }
    const left = await plan();
    if (left.length > 0)
      throw new RecordNotMovedError(
        `${spec.name} still answers ${left.map((move) => move.record.content).join(', ')} after it was changed.`,
      );
    this.moves += 1;
    const before = moves.map((move) => move.record.content).join(', ');
    record('switch-step', `${spec.name} moved from ${before} to ${spec.addresses.join(', ')}`);
  }

  /** How long a write may take that is begun now under this epoch; throws when none may be begun. */
  private timeUnder(epoch: number): number {
    const { keeper } = this.options;
    const leftMs = (keeper.writableForSeconds() ?? 0) * 1000;
    if (heldEpoch(keeper) !== epoch || leftMs <= 0)
      throw new LeaseLostError(`epoch ${epoch} ended while the record was being moved`);
    return Math.min(this.timeoutMs, leftMs);
  }

  private idle(why: string): number {
    this.holding = false;
    this.failures = 0;
    this.verifiedAt = null;
    this.detail = why;
    return Math.min(IDLE_MS, this.intervalMs);
  }

  private failed(error: unknown): number {
    this.failures += 1;
    this.detail = `${codeOf(error)}: ${messageOf(error)}`;
    // Told once for a row of failures; the alert and the metrics go by their number.
    if (this.failures === 1 && !this.stopped) this.options.record('alert', `DNS_RECORD: ${this.detail}`);
    const doubled = FIRST_RETRY_MS * 2 ** Math.min(this.failures - 1, MAX_DOUBLINGS);
    const random = (this.options.random ?? Math.random)();
    const backOffMs = Math.min(this.intervalMs, doubled) * (0.75 + random / 2);
    const asked = error instanceof DnsApiError ? (error.retryAfterMs ?? 0) : 0;
    return Math.max(backOffMs, Math.min(asked, MAX_RETRY_AFTER_MS));
  }

  private get intervalMs(): number {
    return this.options.spec.checkIntervalSeconds * 1000;
  }

  private get timeoutMs(): number {
    return this.options.spec.requestTimeoutSeconds * 1000;
  }

  private run(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.running = this.round().then((nextMs) => {
      this.running = null;
      if (this.stopped) return;
      this.timer = setTimeout(() => this.run(), this.again ? 0 : nextMs);
      this.again = false;
    });
  }
}

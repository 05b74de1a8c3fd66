/**
 * One point in a collection of the agent's own, written by the holder through its write gateway like any client's, and
 * found by the other site in the data that it has applied: it has travelled the whole way.
 */
import { randomUUID } from 'node:crypto';
import {
  HEARTBEAT_COLLECTION,
  type HeartbeatMark,
  type HeartbeatStatus,
} from '../../../infra/contract/agent-api';
import { WriteRefusedError, type GatewayWriter } from '../diverged/gateway-writer';
import { messageOf } from '../errors';
import { heldEpoch, type KeeperPort, type RecordEvent, type SiteClock } from '../ports';
import { QdrantRequestError, type QdrantClient } from '../qdrant/client';
import { LossJudge } from './loss';

export const HEARTBEAT_SECONDS = 10;
const POINT = 1;
/** Small: a snapshot holds its write-ahead log. */
const SHAPE = {
  vectors: { size: 1, distance: 'Dot' },
  shard_number: 1,
  wal_config: { wal_capacity_mb: 1 },
  optimizers_config: { default_segment_number: 1 },
};

export interface HeartbeatOptions {
  readonly site: string;
  readonly intervalSeconds: number;
  readonly qdrant: Pick<QdrantClient, 'retrieve'>;
  readonly gateway: GatewayWriter;
  readonly keeper: Pick<KeeperPort, 'isWritable' | 'lease' | 'writableForSeconds'>;
  readonly clock: SiteClock;
  readonly record: RecordEvent;
  /** Of clients. */
  readonly acknowledgedWrites: () => number;
}

export class Heartbeat {
  private readonly judge: LossJudge;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;
  private writtenMs: number | null = null;
  private holdingSinceMs: number | null = null;
  private found: HeartbeatMark | null = null;
  private sequence = 0;
  /** Numbers begin anew with each process. */
  private readonly run = randomUUID();
  private trouble: string | null = null;

  constructor(private readonly options: HeartbeatOptions) {
    this.judge = new LossJudge(() => options.clock.monotonicMs());
  }

  start(): void {
    if (this.options.intervalSeconds > 0) this.next(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.running;
  }

  /** What the other site says it holds. */
  peerReported(status: HeartbeatStatus | undefined): void {
    this.judge.reported(status?.found ?? null);
  }

  /** What this site's own data hold: the newest that came by an apply, or by its own hand. */
  async look(): Promise<void> {
    try {
      const [point] = await this.options.qdrant.retrieve(HEARTBEAT_COLLECTION, [POINT]);
      this.found = markIn(point?.payload);
    } catch (error) {
      if (!(error instanceof QdrantRequestError) || error.status !== 404) throw error;
      this.found = null;
    }
  }

  /** Undefined where it is turned off. */
  status(): HeartbeatStatus | undefined {
    if (this.options.intervalSeconds <= 0) return undefined;
    const { clock, acknowledgedWrites } = this.options;
    const holds = this.holdingSinceMs !== null && heldEpoch(this.options.keeper) !== null;
    const since = this.writtenMs ?? this.holdingSinceMs;
    return {
      found: this.found,
      writtenAgeSeconds: holds && since !== null ? (clock.monotonicMs() - since) / 1000 : null,
      loss: holds ? this.judge.measure(acknowledgedWrites()) : null,
      reportAgeSeconds: holds ? this.judge.reportAgeSeconds : null,
    };
  }

  private next(waitMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.running = this.beat().finally(() => this.next(this.options.intervalSeconds * 1000));
    }, waitMs);
  }

  private async beat(): Promise<void> {
    const { keeper, clock, record } = this.options;
    const epoch = heldEpoch(keeper);
    if (epoch === null) {
      this.holdingSinceMs = null;
      this.writtenMs = null;
      return;
    }
    this.holdingSinceMs ??= clock.monotonicMs();
    if (!keeper.isWritable()) return;
    try {
      await this.write(epoch);
      this.trouble = null;
    } catch (error) {
      const told = messageOf(error);
      if (this.trouble === null) record('alert', `the heartbeat could not be written: ${told}`);
      this.trouble = told;
    }
  }

  private async write(epoch: number): Promise<void> {
    const { site, clock, acknowledgedWrites } = this.options;
    this.sequence += 1;
    const mark = { epoch, run: this.run, sequence: this.sequence };
    const sentMs = clock.monotonicMs();
    // Before it is sent, and counted also when its outcome stays unknown: it may be found all the same.
    this.judge.sending(mark, acknowledgedWrites());
    const point = { id: POINT, vector: [1], payload: { site, ...mark } };
    await this.put(`/collections/${HEARTBEAT_COLLECTION}/points?wait=true`, { points: [point] });
    this.found = mark;
    this.writtenMs = sentMs;
  }

  private async put(path: string, body: unknown): Promise<void> {
    const { gateway } = this.options;
    try {
      await gateway.write('PUT', path, JSON.stringify(body));
    } catch (error) {
      if (!(error instanceof WriteRefusedError) || error.status !== 404) throw error;
      await gateway.write('PUT', `/collections/${HEARTBEAT_COLLECTION}`, JSON.stringify(SHAPE));
      await gateway.write('PUT', path, JSON.stringify(body));
    }
  }
}

function markIn(payload: Readonly<Record<string, unknown>> | null | undefined): HeartbeatMark | null {
  const { epoch, run, sequence } = payload ?? {};
  const whole = typeof epoch === 'number' && typeof run === 'string' && typeof sequence === 'number';
  return whole ? { epoch, run, sequence } : null;
}

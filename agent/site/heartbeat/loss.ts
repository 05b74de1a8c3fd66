/**
 * What would be lost if the holder failed now, judged from the newest heartbeat that the other site says it holds. All
 * times are the holder's own: the other site only names a number that it found in its data.
 */
import type { HeartbeatMark, HeartbeatStatus } from '../../../infra/contract/agent-api';

interface Sent extends HeartbeatMark {
  /** Before it was sent: whoever holds it has every write that was acknowledged until then. */
  readonly atMs: number;
  readonly acknowledged: number;
}

export type MeasuredLoss = NonNullable<HeartbeatStatus['loss']>;

/** Two days at one every ten seconds; past it an answer is a lower bound. */
const KEPT = 17_280;

export class LossJudge {
  private readonly sent: Sent[] = [];
  private seen: HeartbeatMark | null = null;
  private reportedMs: number | null = null;

  constructor(private readonly nowMs: () => number) {}

  sending(mark: HeartbeatMark, acknowledged: number): void {
    // What was sent in an earlier time of holding says nothing of this one.
    if (this.sent[0]?.epoch !== mark.epoch) this.sent.length = 0;
    this.sent.push({ ...mark, atMs: this.nowMs(), acknowledged });
    if (this.sent.length > KEPT) this.sent.shift();
  }

  /** @param mark what the other site found in its data; null when it found none */
  reported(mark: HeartbeatMark | null): void {
    this.seen = mark;
    this.reportedMs = this.nowMs();
  }

  /** Since the other site last said anything about it; null before it did. */
  get reportAgeSeconds(): number | null {
    return this.reportedMs === null ? null : (this.nowMs() - this.reportedMs) / 1000;
  }

  /** Null while nothing has been heard of the other site, or it holds no heartbeat at all. */
  measure(acknowledged: number): MeasuredLoss | null {
    const { seen } = this;
    const oldest = this.sent[0];
    if (seen === null || oldest === undefined) return null;
    const ours = seen.epoch === oldest.epoch && seen.run === oldest.run;
    const index = ours ? seen.sequence - oldest.sequence : -1;
    const held = this.sent[index];
    const from = held ?? oldest;
    return {
      seconds: (this.nowMs() - from.atMs) / 1000,
      writes: acknowledged - from.acknowledged,
      atLeast: held === undefined,
    };
  }
}

/**
 * Tells people what a site's agent sees. Events are taken note of at once and everything else happens later: nothing here
 * is ever waited for by the lease.
 */
import { z } from 'zod';
import { CANARY_PARTS, type AgentEvent, type AlertsStatus } from '../../../infra/contract/agent-api';
import type { AlertsSpec, AlertTargetKind } from '../../../infra/contract/outward-spec';
import type { Logger } from '../../shared/logger';
import { messageOf } from '../errors';
import type { SiteClock } from '../ports';
import { readIfPresent, writeDurably } from '../state/durable-file';
import { type AlertFacts, conditionsOf, takeOverIn, takeOverOf, type TookOver } from './conditions';
import { Delivery, type DeliveryOptions } from './delivery';
import { begin, dueAction, endOthers, type Entry, markTold, prune } from './outbox';
import type { AlertMessage } from './webhook';

export interface AlertSender {
  send(message: AlertMessage): Promise<void>;
  close(): Promise<void>;
}

export interface AlertsOptions {
  readonly site: string;
  readonly spec: AlertsSpec;
  readonly senders: Readonly<Partial<Record<AlertTargetKind, AlertSender>>>;
  readonly facts: () => Omit<AlertFacts, 'tookOver' | 'leaseAlerts' | 'unprotectedAfterSeconds'>;
  /** Codes that the lease keeper alerts of at this moment. */
  readonly leaseAlerts: () => readonly string[];
  /** What was told to whom, so that a restart neither forgets nor repeats. */
  readonly path: string;
  readonly clock: SiteClock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly delivery?: Pick<DeliveryOptions, 'random' | 'firstRetryMs'>;
}

const severity = z.enum(['critical', 'error', 'warning', 'info']);
const Stored = z.object({
  version: z.literal(1),
  tookOver: z.object({ epoch: z.number(), how: z.string() }).nullable(),
  entries: z.array(
    z.object({
      key: z.string(),
      severity,
      summary: z.string(),
      detail: z.string(),
      since: z.string(),
      over: z.string().nullable(),
      epoch: z.number().nullable(),
      told: z.record(z.string(), z.union([severity, z.literal('over')])),
    }),
  ),
});

export class Alerts {
  private entries: readonly Entry[] = [];
  private tookOver: TookOver | null = null;
  /** Since when each condition has been seen, by the monotonic clock. */
  private readonly seenSince = new Map<string, number>();
  private readonly said = new Map<string, string>();
  private readonly deliveries: readonly Delivery[];
  private startedAt = 0;
  private settled = false;
  private timer: NodeJS.Timeout | null = null;
  private soon: NodeJS.Immediate | null = null;
  private stored = '';
  private storing: Promise<void> = Promise.resolve();

  constructor(private readonly options: AlertsOptions) {
    this.deliveries = Object.entries(options.senders).map(([name, sender]) => {
      const kind = name as AlertTargetKind;
      return new Delivery({
        ...options.delivery,
        kind,
        send: (message) => sender.send(message),
        next: () => this.nextFor(kind),
        told: (message) => this.mark(message, kind),
        waiting: () => this.entries.filter((entry) => dueAction(entry, kind) !== null).length,
        onTrouble: (what) => options.logger.error({ target: kind }, `alerts: ${what}`),
      });
    });
  }

  async start(): Promise<void> {
    await this.load();
    this.startedAt = this.options.clock.monotonicMs();
    this.timer = setInterval(() => this.look(), this.options.intervalMs);
    this.look();
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    if (this.soon !== null) clearImmediate(this.soon);
    this.timer = null;
    const { senders } = this.options;
    // Closed first, so that nothing that is under way is waited for.
    await Promise.all(Object.values(senders).map((sender) => sender.close()));
    await Promise.all(this.deliveries.map((delivery) => delivery.stop()));
    await this.storing;
  }

  /** Returns at once. */
  onEvent(event: AgentEvent): void {
    const taken = takeOverIn(event);
    if (taken !== null) {
      this.tookOver = taken;
      this.entries = begin(this.entries, [takeOverOf(this.options.site, taken)], this.moment(taken.epoch));
    }
    const code = event.kind === 'alert' ? /^([A-Z][A-Z_]+): (.*)$/s.exec(event.detail) : null;
    if (code?.[1] !== undefined && code[2] !== undefined) this.said.set(code[1], code[2]);
    if (this.timer === null || this.soon !== null) return;
    this.soon = setImmediate(() => {
      this.soon = null;
      this.look();
    });
  }

  view(): AlertsStatus {
    return {
      open: this.entries
        .filter(({ over }) => over === null)
        .map(({ key, severity: how, summary, since }) => ({ key, severity: how, summary, since })),
      targets: this.deliveries.map((delivery) => delivery.view()),
    };
  }

  /** One look at the site. */
  private look(): void {
    const facts: AlertFacts = {
      ...this.options.facts(),
      tookOver: this.tookOver,
      leaseAlerts: this.leaseAlerts(),
      unprotectedAfterSeconds: this.options.spec.unprotectedAfterSeconds,
    };
    const conditions = conditionsOf(facts);
    const lasting = this.lasting(conditions);
    const { at, epoch } = this.moment(facts.lease?.epoch ?? null);
    this.entries = begin(this.entries, lasting, { at, epoch });
    if (this.isSettled(facts)) {
      this.entries = endOthers(this.entries, new Set(conditions.map(({ key }) => key)), at);
      if (!conditions.some(({ key }) => key.startsWith('took-over-'))) this.tookOver = null;
    }
    this.changed();
  }

  /** Those that have lasted long enough, and those that have been told of already. */
  private lasting<Seen extends { readonly key: string; readonly afterSeconds: number }>(
    conditions: readonly Seen[],
  ): readonly Seen[] {
    const now = this.options.clock.monotonicMs();
    const present = new Set(conditions.map(({ key }) => key));
    for (const key of this.seenSince.keys()) if (!present.has(key)) this.seenSince.delete(key);
    return conditions.filter(({ key, afterSeconds }) => {
      const since = this.seenSince.get(key) ?? now;
      this.seenSince.set(key, since);
      const open = this.entries.some((entry) => entry.key === key && entry.over === null);
      return open || now - since >= afterSeconds * 1000;
    });
  }

  /** Just started, a site knows nothing of itself: what was open before is not over because of that. */
  private isSettled({ state, canary }: AlertFacts): boolean {
    const known = state !== 'unknown' && CANARY_PARTS.every((part) => canary[part].health !== 'unknown');
    const upMs = this.options.clock.monotonicMs() - this.startedAt;
    this.settled ||= known || upMs >= this.options.spec.unprotectedAfterSeconds * 1000;
    return this.settled;
  }

  private leaseAlerts(): ReadonlyMap<string, string> {
    return new Map(this.options.leaseAlerts().map((code) => [code, this.said.get(code) ?? '']));
  }

  private moment(epoch: number | null) {
    return { at: this.options.clock.wallIso(), epoch };
  }

  private nextFor(kind: AlertTargetKind): AlertMessage | null {
    for (const entry of this.entries) {
      const action = dueAction(entry, kind);
      if (action !== null) return { action, entry };
    }
    return null;
  }

  private mark({ action, entry }: AlertMessage, kind: AlertTargetKind): void {
    this.entries = markTold(this.entries, entry, kind, action);
    this.changed();
  }

  private changed(): void {
    this.entries = prune(
      this.entries,
      this.deliveries.map(({ kind }) => kind),
    );
    const content = JSON.stringify({ version: 1, tookOver: this.tookOver, entries: this.entries });
    if (content !== this.stored) {
      this.stored = content;
      this.storing = this.storing.then(() => this.store(content));
    }
    for (const delivery of this.deliveries) delivery.wake();
  }

  private async store(content: string): Promise<void> {
    // Of several changes in a row only the last one counts.
    if (content !== this.stored) return;
    try {
      await writeDurably(this.options.path, content);
    } catch (error) {
      // A full disk must not keep people from being told.
      this.options.logger.error({ err: messageOf(error) }, 'cannot write which alerts were told');
    }
  }

  private async load(): Promise<void> {
    try {
      const text = await readIfPresent(this.options.path);
      if (text === null) return;
      const stored = Stored.parse(JSON.parse(text));
      // What happened before the file was read counts as well.
      this.entries = [...stored.entries, ...this.entries];
      this.tookOver ??= stored.tookOver;
    } catch (error) {
      // Then some alerts are told again, which is better than an agent that does not start.
      this.options.logger.error({ err: messageOf(error) }, 'cannot read which alerts were told');
    }
  }
}

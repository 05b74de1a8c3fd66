/** Watch DNS and both sites' status while a drill runs, and write down what changes. */
import type { AgentEvent } from '../../../infra/contract/agent-api';
import type { OperatorContext } from '../../cli/context';
import { queryAddresses } from '../../cli/dns';
import { describe } from '../../cli/errors';
import { sitesAt } from '../../cli/overview';
import type { SitePort, SiteStatus } from '../../cli/site-client';
import type { DrillClock } from '../clock';
import type { DnsChange, LeaseChange } from '../record';

/** Repeats a look until stopped; a look that is still under way is not started again. */
class Watcher {
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> | null = null;

  constructor(
    private readonly periodMs: number,
    private readonly look: () => Promise<void>,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.tick(), this.periodMs);
    this.tick();
  }

  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    await this.looking;
  }

  private tick(): void {
    this.looking ??= this.look().finally(() => (this.looking = null));
  }
}

/** A silent nameserver, such as a lost site's own, misleads nobody: resolvers go on to the next. */
export function everyAnswerIs(latest: readonly DnsChange[], site: string): boolean {
  const answers = latest.filter((change) => change.error === null);
  return answers.length > 0 && answers.every(({ sites }) => sites.length === 1 && sites[0] === site);
}

/** Asks every nameserver four times a second. */
export class DnsWatcher {
  readonly changes: DnsChange[] = [];
  private readonly latest = new Map<string, DnsChange>();
  private readonly watchers: Watcher[];

  constructor(context: OperatorContext, clock: DrillClock, periodMs = 250) {
    this.watchers = context.nameservers.map(
      (server) =>
        new Watcher(periodMs, async () => {
          const answer = await queryAddresses(server, context.service.host, 1_000).then(
            (found) => ({ addresses: [...found.addresses].sort(), error: null }),
            (error: unknown) => ({ addresses: [], error: describe(error) }),
          );
          this.note({
            at: clock.now(),
            nameserver: `${server.address}:${server.port}`,
            sites: sitesAt(context, answer.addresses),
            ...answer,
          });
        }),
    );
  }

  start(): void {
    for (const watcher of this.watchers) watcher.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.watchers.map((watcher) => watcher.stop()));
  }

  /** True when nameservers answer, and each that does answers this site alone. */
  answersOnly(site: string): boolean {
    return everyAnswerIs([...this.latest.values()], site);
  }

  describe(): string {
    return [...new Set([...this.latest.values()].map((change) => change.sites.join('+') || 'nothing'))].join(
      ' / ',
    );
  }

  private note(change: DnsChange): void {
    const before = this.latest.get(change.nameserver);
    this.latest.set(change.nameserver, change);
    if (
      before?.addresses.join() !== change.addresses.join() ||
      (before.error === null) !== (change.error === null)
    ) {
      this.changes.push(change);
    }
  }
}

/** Asks both sites for their status every second, and collects their events. */
export class StatusWatcher {
  readonly leases: LeaseChange[] = [];
  readonly clockAhead: Record<string, number> = {};
  readonly latest = new Map<string, SiteStatus | null>();
  private readonly eventsByKey = new Map<string, AgentEvent>();
  private readonly watchers: Watcher[];

  constructor(
    sites: readonly SitePort[],
    private readonly clock: DrillClock,
    periodMs = 1_000,
  ) {
    this.watchers = sites.map(
      (port) =>
        new Watcher(periodMs, async () => {
          const seen = await port.status(2_000).then(
            (status) => status,
            () => null, // a silent site is what a drill is about; `latest` shows it
          );
          this.latest.set(port.site.site, seen);
          if (seen !== null) this.note(port.site.site, seen);
        }),
    );
  }

  start(): void {
    for (const watcher of this.watchers) watcher.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.watchers.map((watcher) => watcher.stop()));
  }

  eventsSince(ms: number): AgentEvent[] {
    return [...this.eventsByKey.values()]
      .filter((event) => Date.parse(event.at) >= ms)
      .sort((a, b) => a.at.localeCompare(b.at));
  }

  /** The holder under the highest epoch that any site has named. */
  get lease(): LeaseChange | null {
    return this.leases.at(-1) ?? null;
  }

  private note(site: string, seen: SiteStatus): void {
    const { status, clockAheadSeconds } = seen;
    if (clockAheadSeconds !== null) this.clockAhead[site] = clockAheadSeconds;
    for (const event of status.events) {
      this.eventsByKey.set(`${event.site}|${event.at}|${event.kind}|${event.detail}`, event);
    }
    const known = this.leases.at(-1);
    if (status.lease !== null && (known === undefined || status.lease.epoch > known.epoch)) {
      this.leases.push({ at: this.clock.now(), ...status.lease, source: site });
    }
  }
}

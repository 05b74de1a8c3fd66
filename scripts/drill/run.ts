/**
 * A drill from its first check to its clean-up. Whatever happens after the clients were started, faults are undone,
 * clients stopped, and the record is whole enough for a report.
 */
import type { LookupFunction } from 'node:net';
import type { OperatorContext } from '../cli/context';
import { otherSite, siteOf } from '../cli/context';
import { DrillAbortedError, RefusedError, UsageError, describe } from '../cli/errors';
import { failback } from '../cli/failback';
import type { LeaseReader } from '../cli/lease-store';
import { isHolding, observe, type Overview } from '../cli/overview';
import type { SitePort } from '../cli/site-client';
import { drillClients } from './clients/clients';
import { ClientLoop } from './clients/loop';
import { completion, search } from './clients/requests';
import { DnsWatcher, StatusWatcher } from './clients/watchers';
import type { DrillClock } from './clock';
import { DrillCollection } from './collection';
import { Repairs, type FaultPort } from './fault';
import type { Progress } from './progress';
import { newMarks, type DataCheck, type DrillRecord } from './record';
import { Recorder } from './recorder';
import { replicate } from './replicate';
import type { Scenario } from './scenarios';
import { Service } from './service';
import { reasonToStop } from './stop-conditions';

export interface DrillOptions {
  readonly scenario: Scenario;
  readonly failback: boolean;
  readonly by: string;
  readonly points: number;
  readonly baselineSeconds: number;
  readonly sustainSeconds: number;
  readonly maxOutageSeconds: number;
  readonly syncSeconds: number;
  readonly failbackWaitSeconds: number;
  readonly periodMs: number;
  readonly writePeriodMs: number;
  readonly timeoutMs: number;
  /** How often sites and nameservers are looked at; the tests look more often. */
  readonly statusPeriodMs?: number;
  readonly dnsPeriodMs?: number;
}

export interface DrillPorts {
  readonly context: OperatorContext;
  readonly sites: readonly SitePort[];
  readonly leases: LeaseReader;
  /** Absent in production: then only a planned switch may be drilled. */
  readonly fault: FaultPort | null;
  readonly clock: DrillClock;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly lookup?: LookupFunction;
}

export interface DrillResult {
  readonly record: DrillRecord;
  /** What ended it early, or null. */
  readonly error: unknown;
}

const POLL_MS = 200;
const STOP_CHECK_MS = 1_000;

/** Refuses, having changed nothing, where the scenario needs faults and none can be made. */
export function refuseWithoutFaults(
  scenario: Scenario,
  fault: FaultPort | null,
  context: OperatorContext,
): void {
  const first = context.sites[0];
  if (fault !== null || first === undefined || scenario.faults(first).length === 0) return;
  throw new UsageError(`${scenario.name} breaks things, and no --fault-command says how`, {
    next: ['in production drill the planned switch: failover drill planned-switch'],
  });
}

export async function runDrill(ports: DrillPorts, options: DrillOptions): Promise<DrillResult> {
  refuseWithoutFaults(options.scenario, ports.fault, ports.context);
  const service = new Service(ports.context, ports.clock);
  const overview = await checkSteadyState(ports, service, options.timeoutMs * 2);
  return new DrillRun(ports, options, service, overview).run();
}

/** One active site, a promotable peer, DNS on the active site, a completion and a read; else refuses and says what is off. */
export async function checkSteadyState(
  ports: DrillPorts,
  service: Service,
  timeoutMs: number,
): Promise<Overview & { active: string }> {
  ports.progress.phase('checking the steady state');
  const { context, sites, leases } = ports;
  const overview = await observe(context, sites, leases);
  const findings = [...overview.findings];
  for (const [what, call] of [
    ['completion', completion(context.modelName).call],
    ['vectors', { method: 'GET', path: '/collections' } as const],
  ] as const) {
    const problem = await service.once(call, timeoutMs).then(
      (answer) => (answer.status === 200 ? null : `answered ${answer.status}`),
      (error: unknown) => describe(error),
    );
    if (problem !== null)
      findings.push({ code: `no-${what}`, message: `a request to the service (${what}): ${problem}` });
  }
  if (findings.length > 0 || overview.active === null) {
    throw new RefusedError('this is not the steady state, so a drill would measure something else', {
      reasons: findings,
      next: ['put right what is listed, then look at `failover status`'],
    });
  }
  return { ...overview, active: overview.active };
}

class DrillRun {
  private readonly from: string;
  private readonly to: string;
  private readonly id: string;
  private readonly marks = newMarks();
  private readonly steps: { at: number; text: string }[] = [];
  private readonly leftovers: string[] = [];
  private readonly collection: DrillCollection;
  private readonly loops: ClientLoop[];
  private readonly recorder: Recorder;
  private readonly dns: DnsWatcher;
  private readonly status: StatusWatcher;
  private readonly repairs: Repairs;
  private afterFailover: DataCheck | null = null;
  private afterFailback: DataCheck | null = null;
  private lastStopCheck = 0;
  private waitingFor = '';

  constructor(
    private readonly ports: DrillPorts,
    private readonly options: DrillOptions,
    private readonly service: Service,
    overview: Overview & { active: string },
  ) {
    const { context, clock, sites } = ports;
    this.from = overview.active;
    this.to = otherSite(context, this.from).site;
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]/g, '').slice(0, 15);
    this.id = `${stamp}Z-${options.scenario.name}`;
    this.collection = new DrillCollection(service, `drill-${stamp.toLowerCase()}`, options.points);
    const clients = drillClients(context, clock, {
      collection: this.collection.name,
      alias: this.collection.alias,
      knownId: 1,
      periodMs: options.periodMs,
      writePeriodMs: options.writePeriodMs,
      timeoutMs: options.timeoutMs,
      ...(ports.lookup === undefined ? {} : { lookup: ports.lookup }),
    });
    this.recorder = new Recorder(clients.map((client) => client.info));
    this.loops = clients.map((client) => new ClientLoop(client, clock, this.recorder.add));
    this.dns = new DnsWatcher(context, clock, options.dnsPeriodMs);
    this.status = new StatusWatcher(sites, clock, options.statusPeriodMs);
    this.repairs = new Repairs(ports.fault ?? { run: () => Promise.resolve() });
  }

  async run(): Promise<DrillResult> {
    let error: unknown = null;
    let started = false;
    try {
      await this.prepare();
      started = true;
      await this.baseline();
      await this.disturb();
      this.afterFailover = await this.guard(
        this.collection.check(() => this.now()),
        'looking through the data',
      );
      await this.repair();
      if (this.options.failback) await this.failBack();
    } catch (caught) {
      error = caught;
      this.step(`stopping: ${describe(caught)}`);
    }
    await this.putBack(started);
    return { record: await this.writeDown(error), error };
  }

  private async prepare(): Promise<void> {
    this.step(`${this.from} is active, ${this.to} can take over; seeding ${this.options.points} points`);
    await this.collection.create();
    const found = await this.service.once(search(this.collection.alias, 1).call);
    const wrong =
      found.status === 200 ? search(this.collection.alias, 1).wrong(found.body) : `status ${found.status}`;
    if (wrong !== null)
      throw new DrillAbortedError(`a search in the seeded collection is not answered rightly: ${wrong}`);
    const { sites, clock, signal } = this.ports;
    const id = await replicate(sites, this.from, this.to, this.options.syncSeconds, clock, signal);
    this.step(`publish ${id} with the seeds is applied at ${this.to}`);
  }

  private async baseline(): Promise<void> {
    this.dns.start();
    this.status.start();
    for (const loop of this.loops) loop.start();
    this.marks.clientsStarted = this.now();
    this.step(`clients started; baseline of ${this.options.baselineSeconds} s`);
    const until = this.now() + this.options.baselineSeconds * 1000;
    // A first connection may be slow; a client that is not well in twice the time never was.
    const latest = until + this.options.baselineSeconds * 1000 + 5_000;
    await this.waitUntil('a clean baseline', () => {
      if (this.now() > latest) {
        const who = this.recorder.unwell().map((each) => `${each.client} (${each.error})`);
        throw new DrillAbortedError(
          `the baseline is not clean: ${who.join('; ') || 'a client fails now and then'}`,
        );
      }
      return (
        this.now() >= until && this.recorder.allWellFor((this.options.baselineSeconds * 1000) / 2, this.now())
      );
    });
  }

  private async disturb(): Promise<void> {
    const faults = this.options.scenario.faults(siteOf(this.ports.context, this.from));
    this.marks.faultStarted = this.now();
    if (faults.length === 0) {
      this.step(`planned switch from ${this.from} to ${this.to}`);
      const request = { by: this.options.by, reason: `drill ${this.id}` };
      await this.guard(this.port(this.from).switch(request), 'the planned switch');
    }
    for (const fault of faults) {
      this.step(`fault: ${fault.words.join(' ')}`);
      await this.guard(this.repairs.inject(fault.words, fault.repair), 'the fault command');
    }
    this.marks.faultDone = this.now();
    await this.waitForHome(this.to, this.marks.faultStarted);
    this.marks.recovered = this.now();
    const seconds = ((this.now() - this.marks.faultStarted) / 1000).toFixed(1);
    this.step(
      `every client is well at ${this.to}; ${seconds} s after the fault, ${this.options.sustainSeconds} s of them for being sure`,
    );
  }

  private async repair(): Promise<void> {
    if (this.repairs.outstanding.length > 0) {
      this.step(`putting the world back: ${this.repairs.outstanding.join(', ')}`);
      const failed = await this.guard(this.repairs.undo(), 'the repair command');
      if (failed.length > 0)
        throw new DrillAbortedError(`could not put the world back: ${failed.join('; ')}`);
    }
    this.marks.repaired = this.now();
  }

  private async failBack(): Promise<void> {
    this.marks.failbackStarted = this.now();
    this.step(`failing back to ${this.from}`);
    const abort = new AbortController();
    const work = failback(this.from, this.ports.sites, {
      by: this.options.by,
      reason: `failback after drill ${this.id}`,
      waitSeconds: this.options.failbackWaitSeconds,
      pollSeconds: (this.options.statusPeriodMs ?? 1_000) / 1000,
      onStep: (text) => this.step(`failback: ${text}`),
      signal: AbortSignal.any([abort.signal, this.ports.signal]),
    });
    try {
      await this.guard(work, 'the failback');
    } finally {
      abort.abort();
    }
    this.marks.failbackDone = this.now();
    await this.waitForHome(this.from, this.now());
    this.step(`every client is well at ${this.from} again`);
    this.afterFailback = await this.guard(
      this.collection.check(() => this.now()),
      'looking through the data',
    );
  }

  /** Until a site holds the lease and is ready, DNS names it alone, and every client has been well long enough. */
  private async waitForHome(site: string, since: number): Promise<void> {
    const limit = this.options.maxOutageSeconds + this.options.sustainSeconds + 60;
    await this.waitUntil(`service from ${site}`, () => {
      const seen = this.status.latest.get(site)?.status;
      const holds = seen !== undefined && isHolding(seen) && seen.ready;
      const dns = this.dns.answersOnly(site);
      if (holds && dns && this.recorder.allWellFor(this.options.sustainSeconds * 1000, this.now()))
        return true;
      if (this.now() - since > limit * 1000) {
        const unwell = this.recorder.unwell().map((each) => `${each.client}: ${each.error}`);
        throw new DrillAbortedError(
          `${site} did not take over whole within ${limit} s (holds the lease and is ready: ${holds ? 'yes' : 'no'}; DNS: ${this.dns.describe()}; not well: ${unwell.join('; ') || 'nobody'})`,
        );
      }
      return false;
    });
  }

  private async waitUntil(what: string, condition: () => boolean): Promise<void> {
    this.waitingFor = what;
    for (;;) {
      this.watch();
      if (condition()) return;
      await this.ports.clock.delay(POLL_MS, this.ports.signal);
    }
  }

  /** Waits for something that is under way, while the stop conditions and signals go on being watched. */
  private async guard<T>(work: Promise<T>, what: string): Promise<T> {
    const outcome = work.then(
      (value) => ({ value }),
      (failure: unknown) => ({ failure }),
    );
    let done: { value: T } | { failure: unknown } | null = null;
    void outcome.then((result) => (done = result));
    await this.waitUntil(what, () => done !== null);
    const result = await outcome;
    if ('failure' in result) throw result.failure;
    return result.value;
  }

  /** Throws when the drill must stop; shows how things stand otherwise. */
  private watch(): void {
    this.ports.signal.throwIfAborted();
    const now = this.now();
    if (now - this.lastStopCheck < STOP_CHECK_MS) return;
    this.lastStopCheck = now;
    if (this.marks.faultStarted !== null) {
      const stop = reasonToStop(
        this.recorder,
        this.status.leases,
        this.options,
        this.marks.faultStarted,
        now,
      );
      if (stop !== null) throw stop;
    }
    const { ok, errors } = this.recorder.totals();
    const since =
      this.marks.faultStarted === null ? '' : `+${((now - this.marks.faultStarted) / 1000).toFixed(0)} s  `;
    const lease = this.status.lease;
    const unwell = this.recorder.unwell().map((each) => each.client);
    this.ports.progress.tick(
      `${since}waiting for ${this.waitingFor}  lease ${lease === null ? '?' : `${lease.holder} #${lease.epoch}`}  DNS ${this.dns.describe()}  ${ok} ok ${errors} failed${unwell.length === 0 ? '' : `  not well: ${unwell.join(', ')}`}`,
    );
  }

  /** Undoes faults, stops clients and removes the collection; nothing here may stop the rest. */
  private async putBack(started: boolean): Promise<void> {
    this.leftovers.push(...(await this.repairs.undo()).map((failed) => `not put back: ${failed}`));
    if (started) {
      await Promise.all(this.loops.map((loop) => loop.stop()));
      await Promise.all([this.dns.stop(), this.status.stop()]);
    }
    this.marks.ended = this.now();
    try {
      await this.collection.remove();
      this.step('the drill collection is removed');
    } catch (error) {
      this.leftovers.push(`the collection ${this.collection.name} could not be removed: ${describe(error)}`);
    }
    const holder = this.status.lease?.holder ?? this.from;
    if (holder !== this.from) {
      this.leftovers.push(
        `${holder} holds the lease; bring it home with \`failover failback --by … --reason …\``,
      );
    }
    for (const leftover of this.leftovers) this.step(`remains: ${leftover}`);
    this.ports.progress.end();
  }

  private async writeDown(error: unknown): Promise<DrillRecord> {
    const { context, leases } = this.ports;
    const history = await leases.history().catch((failure: unknown) => {
      this.step(`the lease history could not be read: ${describe(failure)}`);
      return [];
    });
    return {
      version: 1,
      id: this.id,
      scenario: this.options.scenario.name,
      service: context.service.host,
      from: this.from,
      to: this.to,
      sites: context.sites.map((site) => site.site),
      dnsTtlSeconds: context.service.dnsTtlSeconds,
      switchingMode: context.switchingMode,
      budget: context.budget,
      collection: this.collection.name,
      seedIds: this.collection.seedIds,
      sustainSeconds: this.options.sustainSeconds,
      failback: this.options.failback,
      clients: this.loops.map((loop) => loop.client.info),
      marks: this.marks,
      attempts: this.recorder.attempts,
      dns: this.dns.changes,
      leases: this.status.leases,
      events: this.status.events,
      history,
      clockAhead: this.status.clockAhead,
      afterFailover: this.afterFailover,
      afterFailback: this.afterFailback,
      steps: this.steps,
      stopped:
        error === null
          ? null
          : { code: (error as { code?: string }).code ?? 'UNEXPECTED', message: describe(error) },
      leftovers: this.leftovers,
    };
  }

  private port(name: string): SitePort {
    const found = this.ports.sites.find((site) => site.site.site === name);
    if (found === undefined) throw new DrillAbortedError(`the context knows no site ${name}`);
    return found;
  }

  private step(text: string): void {
    this.steps.push({ at: this.now(), text });
    this.ports.progress.phase(text);
  }

  private now(): number {
    return this.ports.clock.now();
  }
}

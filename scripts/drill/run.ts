/**
 * A drill from its first check to its clean-up. Whatever happens after the clients were started, faults are undone,
 * clients stopped, and the record is whole enough for a report.
 */
import { otherSite, siteOf } from '../cli/context';
import { DrillAbortedError, describe } from '../cli/errors';
import { failback } from '../cli/failback';
import { isHolding } from '../cli/overview';
import type { SitePort } from '../cli/site-client';
import { drillClients } from './clients/clients';
import { ClientLoop, type DrillClient } from './clients/loop';
import { search } from './clients/requests';
import { RuntimeClient, runtimeInfo, runtimeOptions } from './clients/runtimes/runtime-client';
import { DnsWatcher, StatusWatcher } from './clients/watchers';
import { DrillCollection } from './collection';
import { Disturbance } from './disturbance';
import { Repairs } from './fault';
import { mergeAfterDrill } from './merge';
import type { DrillOptions, DrillPorts, DrillResult } from './ports';
import { codeOf, describeWorld, newMarks, type DataCheck, type DrillRecord } from './record';
import { Recorder } from './recorder';
import { replicate } from './replicate';
import { Service } from './service';
import {
  checkSteadyState,
  leaderOf,
  refuseTooFewServers,
  refuseWithoutFaults,
  type SteadyState,
} from './steady-state';
import { Supervision } from './supervision';

/** What happened shortly before the clients came may explain what they saw. */
const EVENTS_BEFORE_MS = 60_000;

export async function runDrill(ports: DrillPorts, options: DrillOptions): Promise<DrillResult> {
  refuseWithoutFaults(options.scenario, ports.fault);
  const service = new Service(ports.context, ports.clock);
  const steady = await checkSteadyState(ports, service, options.timeoutMs * 2);
  refuseTooFewServers(options.scenario, siteOf(ports.context, steady.active));
  return new DrillRun(ports, options, service, steady).run();
}

class DrillRun {
  private readonly from: string;
  private readonly to: string;
  private readonly id: string;
  private readonly startEpoch: number | null;
  private readonly marks = newMarks();
  private readonly steps: { at: number; text: string }[] = [];
  private readonly leftovers: string[] = [];
  /** Ends what is still being waited for when the drill is over. */
  private readonly over = new AbortController();
  private readonly collection: DrillCollection;
  private readonly loops: DrillClient[];
  private readonly recorder: Recorder;
  private readonly dns: DnsWatcher;
  private readonly status: StatusWatcher;
  private readonly repairs: Repairs;
  private afterFailover: DataCheck | null = null;
  private afterFailback: DataCheck | null = null;
  private afterMerge: DataCheck | null = null;
  private readonly supervision: Supervision;
  private readonly disturbance: Disturbance;

  constructor(
    private readonly ports: DrillPorts,
    private readonly options: DrillOptions,
    private readonly service: Service,
    steady: SteadyState,
  ) {
    const { context, clock, sites } = ports;
    this.from = steady.active;
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
    const runtimes = options.runtimes ?? [];
    const foreign = runtimeOptions(context, { ...options, onStep: (text) => this.step(text) });
    this.recorder = new Recorder([
      ...clients.map((client) => client.info),
      ...runtimes.map((launch) => runtimeInfo(launch, options)),
    ]);
    this.loops = [
      ...clients.map((client) => new ClientLoop(client, clock, this.recorder)),
      ...runtimes.map((launch) => new RuntimeClient(launch, foreign, clock, this.recorder)),
    ];
    this.dns = new DnsWatcher(context, clock, options.dnsPeriodMs);
    this.status = new StatusWatcher(sites, clock, options.statusPeriodMs);
    this.repairs = new Repairs(ports.fault ?? { run: () => Promise.resolve() });
    this.supervision = new Supervision({
      ...ports,
      recorder: this.recorder,
      status: this.status,
      dns: this.dns,
      marks: this.marks,
      limits: options,
    });
    this.disturbance = new Disturbance({
      ports,
      options,
      from: this.port(this.from),
      to: this.port(this.to),
      leader: leaderOf(steady, siteOf(ports.context, this.from)),
      id: this.id,
      marks: this.marks,
      repairs: this.repairs,
      supervision: this.supervision,
      over: this.over.signal,
      holder: () => this.status.lease?.holder ?? null,
      step: (text) => this.step(text),
    });
    this.startEpoch = steady.lease?.epoch ?? null;
  }

  async run(): Promise<DrillResult> {
    let error: unknown = null;
    let started = false;
    try {
      await this.prepare();
      started = true;
      await this.baseline();
      await this.disturb();
      this.afterFailover = await this.supervision.guard(
        this.collection.check(() => this.now()),
        'looking through the data',
      );
      await this.repair();
      if (this.options.scenario.outlived === true) await this.waitForHome(this.from, this.now());
      if (this.options.failback && this.options.scenario.expect === 'switch') {
        await this.failBack();
        if (this.options.merge ?? true) await this.merge();
      }
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
    const prepared = Promise.all(this.loops.map((loop) => loop.prepare()));
    await this.supervision.guard(prepared, 'the clients to be ready');
    for (const loop of this.loops) loop.start();
    this.marks.clientsStarted = this.now();
    this.step(`clients started; baseline of ${this.options.baselineSeconds} s`);
    const until = this.now() + this.options.baselineSeconds * 1000;
    // A first connection may be slow; a client that is not well in twice the time never was.
    const latest = until + this.options.baselineSeconds * 1000 + 5_000;
    await this.supervision.waitUntil('a clean baseline', () => {
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
    const { expect, outlived } = this.options.scenario;
    await this.disturbance.strike();
    if (expect === 'stay' && outlived !== true) await this.repair();
    const home = expect === 'switch' ? this.to : this.from;
    await this.waitForHome(home, this.now());
    this.marks.recovered = this.now();
    const seconds = ((this.now() - (this.marks.faultStarted ?? 0)) / 1000).toFixed(1);
    this.step(
      `every client is well at ${home}; ${seconds} s after the fault, ${this.options.sustainSeconds} s of them for being sure`,
    );
  }

  private async repair(): Promise<void> {
    if (this.repairs.outstanding.length > 0) {
      this.step(`putting the world back: ${this.repairs.outstanding.join(', ')}`);
      const failed = await this.supervision.guard(this.repairs.undo(), 'the repair command');
      if (failed.length > 0)
        throw new DrillAbortedError(`could not put the world back: ${failed.join('; ')}`);
    }
    this.marks.repaired = this.now();
  }

  private async failBack(): Promise<void> {
    this.marks.failbackStarted = this.now();
    this.step(`failing back to ${this.from}`);
    const work = failback(this.from, this.ports.sites, {
      by: this.options.by,
      reason: `failback after drill ${this.id}`,
      waitSeconds: this.options.failbackWaitSeconds,
      pollSeconds: (this.options.statusPeriodMs ?? 1_000) / 1000,
      onStep: (text) => this.step(`failback: ${text}`),
      signal: AbortSignal.any([this.over.signal, this.ports.signal]),
    });
    await this.supervision.guard(work, 'the failback');
    this.marks.failbackDone = this.now();
    await this.waitForHome(this.from, this.now());
    this.step(`every client is well at ${this.from} again`);
    this.afterFailback = await this.supervision.guard(
      this.collection.check(() => this.now()),
      'looking through the data',
    );
  }

  /** Brings back what only the lost holder had. */
  private async merge(): Promise<void> {
    const { sites, signal } = this.ports;
    const merged = mergeAfterDrill(sites, this.from, this.startEpoch, {
      by: this.options.by,
      reason: `merge after drill ${this.id}`,
      onStep: (text) => this.step(text),
      signal: AbortSignal.any([this.over.signal, signal]),
    });
    if (!(await this.supervision.guard(merged, 'the merge'))) return;
    this.afterMerge = await this.supervision.guard(
      this.collection.check(() => this.now()),
      'looking through the data',
    );
  }

  /** Until a site holds the lease and is ready, DNS names it alone, and every client has been well long enough. */
  private async waitForHome(site: string, since: number): Promise<void> {
    const limit = this.options.maxOutageSeconds + this.options.sustainSeconds + 60;
    await this.supervision.waitUntil(`service from ${site}`, () => {
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

  /** Undoes faults, stops clients and removes the collection; nothing here may stop the rest. */
  private async putBack(started: boolean): Promise<void> {
    this.over.abort();
    await this.disturbance.end();
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
    const lease = await this.ports.leases.lease().catch(() => this.status.lease); // the witness, else what was seen last
    const holder = lease?.holder ?? this.from;
    if (holder !== this.from) {
      this.leftovers.push(
        `${holder} holds the lease; bring it home with \`failover failback --by … --reason …\``,
      );
    }
    for (const leftover of this.leftovers) this.step(`remains: ${leftover}`);
    this.ports.progress.end();
  }

  private async writeDown(error: unknown): Promise<DrillRecord> {
    const history = await this.ports.leases.history().catch((failure: unknown) => {
      this.step(`the lease history could not be read: ${describe(failure)}`);
      return [];
    });
    const { context } = this.ports;
    const { from, to, id, options, marks, collection, recorder, dns, status, startEpoch } = this;
    const clients = this.loops.map((loop) => loop.info);
    const { afterFailover, afterFailback, afterMerge, steps, leftovers } = this;
    return {
      ...describeWorld(context, options),
      ...{
        id,
        from,
        to,
        startEpoch,
        clients,
        marks,
        history,
        afterFailover,
        afterFailback,
        afterMerge,
        steps,
        leftovers,
      },
      collection: collection.name,
      seedIds: collection.seedIds,
      attempts: recorder.attempts,
      dns: dns.changes,
      leases: status.leases,
      events: status.eventsSince((marks.clientsStarted ?? marks.ended ?? 0) - EVENTS_BEFORE_MS),
      clockAhead: status.clockAhead,
      stopped: error === null ? null : { code: codeOf(error), message: describe(error) },
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

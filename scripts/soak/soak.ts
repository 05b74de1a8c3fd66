/**
 * Random faults, several at once, round after round, under clients that never stop; then everything that they saw is
 * held to the lease's history and to what both sites' stores hold. After each round the world is mended and the lease
 * handed to the other site, so that every round starts from the steady state.
 */
import { otherSite } from '../cli/context';
import { DrillAbortedError, describe } from '../cli/errors';
import type { SitePort } from '../cli/site-client';
import { drillClients } from '../drill/clients/clients';
import { ClientLoop } from '../drill/clients/loop';
import { StatusWatcher } from '../drill/clients/watchers';
import { DrillCollection } from '../drill/collection';
import { Repairs } from '../drill/fault';
import type { DrillPorts } from '../drill/ports';
import { replicate } from '../drill/replicate';
import { Service } from '../drill/service';
import { checkSteadyState } from '../drill/steady-state';
import { drawRound, type Interference, type Round } from './faults';
import { acknowledgementViolations, checkHistory, publishBegunAt } from './history';
import type { AppliedPublish, StoreContent } from './history';
import { LeaseMover } from './lease-mover';
import { SoakLog } from './log';
import { PatientFaults } from './patience';
import { Random } from './random';
import type { RoundRecord, SoakRecord, SoakResult } from './record';

export interface SoakOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly by: string;
  readonly points: number;
  readonly periodMs: number;
  readonly writePeriodMs: number;
  readonly timeoutMs: number;
  /** For the steady state to come back once everything is mended. */
  readonly recoverSeconds: number;
  /** Instead of the lab's faults; the tests have others. */
  readonly draw?: (random: Random) => Round;
  readonly statusPeriodMs?: number;
}

export async function runSoak(ports: DrillPorts, options: SoakOptions): Promise<SoakResult> {
  const service = new Service(ports.context, ports.clock);
  const { active } = await checkSteadyState(ports, service, options.timeoutMs * 2);
  return new Soak(ports, options, service, active).run();
}

class Soak {
  private readonly startedAt: number;
  private readonly id: string;
  private readonly random: Random;
  private readonly log = new SoakLog();
  private readonly collection: DrillCollection;
  private readonly loops: readonly ClientLoop[];
  private readonly status: StatusWatcher;
  private readonly mover: LeaseMover;
  private readonly repairs: Repairs;
  private readonly rounds: RoundRecord[] = [];
  private readonly leftovers: string[] = [];
  private stores: StoreContent[] = [];

  constructor(
    private readonly ports: DrillPorts,
    private readonly options: SoakOptions,
    service: Service,
    private active: string,
  ) {
    const { context, clock, sites, fault } = ports;
    this.startedAt = clock.now();
    this.random = new Random(options.seed);
    const stamp = new Date(this.startedAt).toISOString().replace(/[-:]/g, '').slice(0, 15);
    this.id = `${stamp}Z-soak`;
    this.collection = new DrillCollection(service, `soak-${stamp.toLowerCase()}`, options.points);
    const clients = drillClients(context, clock, {
      ...options,
      collection: this.collection.name,
      alias: this.collection.alias,
      knownId: 1,
      ...(ports.lookup === undefined ? {} : { lookup: ports.lookup }),
    });
    this.loops = clients.map((client) => new ClientLoop(client, clock, this.log));
    this.status = new StatusWatcher(sites, clock, options.statusPeriodMs);
    this.mover = new LeaseMover(ports, this.status, { ...options, reason: `soak ${this.id}` });
    this.repairs = new Repairs(new PatientFaults(fault ?? { run: () => Promise.resolve() }, clock));
  }

  async run(): Promise<SoakResult> {
    let stopped: string | null = null;
    try {
      await this.prepare();
      const end = this.startedAt + this.options.minutes * 60_000;
      while (this.now() < end) await this.round();
    } catch (error) {
      stopped = describe(error);
      this.say(`stopping: ${stopped}`);
    }
    await this.putBack();
    const record = await this.writeDown(stopped);
    const verdict = checkHistory(record);
    const whole = stopped === null && record.stores.length === this.ports.sites.length;
    return { record, verdict, passed: whole && verdict.violations.length === 0 };
  }

  private async prepare(): Promise<void> {
    const { sites, clock, signal, context } = this.ports;
    this.say(`seed ${this.options.seed}; ${this.active} is active; seeding ${this.options.points} points`);
    await this.collection.create();
    const standby = otherSite(context, this.active).site;
    await replicate(sites, this.active, standby, this.options.recoverSeconds, clock, signal);
    this.status.start();
    for (const loop of this.loops) loop.start();
  }

  private async round(): Promise<void> {
    const { context, clock, signal } = this.ports;
    const { predictedSeconds } = context.budget.rto;
    const round = this.options.draw?.(this.random) ?? drawRound(this.random, context.sites, predictedSeconds);
    const startedAt = this.now();
    const number = this.rounds.length + 1;
    const holderBefore = this.active;
    for (const [index, fault] of round.faults.entries()) {
      await clock.delay((round.pausesSeconds[index] ?? 0) * 1000, signal);
      this.say(`round ${number}: ${fault.words.join(' ')}`);
      await this.repairs.inject(fault).catch((error: unknown) => this.say(`not made: ${describe(error)}`));
    }
    await this.interfere(round.interference);
    await clock.delay(round.standSeconds * 1000, signal);
    this.say(`round ${number}: mending ${this.repairs.outstanding.join(', ') || 'nothing'}`);
    const failed = await this.repairs.undo();
    const mendedAt = this.now();
    const entry = {
      ...{ number, startedAt, holderBefore, interference: round.interference },
      faults: round.faults.map(({ words }) => words.join(' ')),
    };
    const unfinished = { ...entry, holderAfter: null, epochAfter: null, recoverySeconds: null };
    this.rounds.push(unfinished);
    if (failed.length > 0) throw new DrillAbortedError(`could not mend the world: ${failed.join('; ')}`);
    this.active = await this.mover.handOver();
    this.rounds[this.rounds.length - 1] = {
      ...unfinished,
      holderAfter: this.active,
      epochAfter: this.status.lease?.epoch ?? null,
      recoverySeconds: (this.now() - mendedAt) / 1000,
    };
    await this.refuseDoubleWrites();
  }

  /** A person who acts in the middle of it; what they are answered is told, and nothing else follows from it. */
  private async interfere(what: Interference): Promise<void> {
    if (what === null) return;
    const holder = this.status.lease?.holder ?? this.active;
    const request = { by: this.options.by, reason: `soak ${this.id}` };
    const { context } = this.ports;
    const asked =
      what === 'switch'
        ? this.port(holder).switch(request)
        : this.port(otherSite(context, holder).site).promote(request);
    this.say(`a person asks for a ${what}`);
    // It may take as long as the faults stand: the round goes on meanwhile.
    void asked.then(
      ({ holder: now, epoch }) => this.say(`the ${what} was granted: ${now} holds epoch ${epoch}`),
      (error: unknown) => this.say(`the ${what} was not granted: ${describe(error)}`),
    );
  }

  private async refuseDoubleWrites(): Promise<void> {
    const lease = await this.ports.leases.history();
    const [first] = acknowledgementViolations(this.log.writes, lease);
    if (first === undefined) return;
    throw new DrillAbortedError(`${first.rule}: point ${first.pointId ?? '?'}: ${first.detail}`, {
      next: ["keep the record and every server's journal: this must never happen"],
    });
  }

  /** Mends everything, stops the clients, looks through both stores and brings the lease home. Nothing here may stop the rest. */
  private async putBack(): Promise<void> {
    const failed = await this.repairs.undo();
    this.leftovers.push(...failed.map((each) => `not mended: ${each}`));
    await Promise.all(this.loops.map((loop) => loop.stop()));
    if (!this.ports.signal.aborted)
      await this.attempt('the stores were not looked through', () => this.lookThrough());
    await this.status.stop();
    await this.attempt(`the collection ${this.collection.name} was not removed`, () =>
      this.collection.remove(),
    );
    this.ports.progress.end();
  }

  /** A store can be read at the site that holds the lease: so it is handed from one to the other, in order. */
  private async lookThrough(): Promise<void> {
    for (let looked = 0; looked < this.ports.sites.length; looked += 1) {
      const site = await this.mover.handOver();
      const { ids, site: answered } = await this.collection.check(() => this.now());
      if (answered !== site)
        throw new DrillAbortedError(`${answered ?? 'nobody'} answered in place of ${site}`);
      this.stores = [...this.stores, { site, ids }];
    }
    await this.mover.handTo(this.ports.context.primary);
  }

  private async attempt(otherwise: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.leftovers.push(`${otherwise}: ${describe(error)}`);
    }
  }

  private async writeDown(stopped: string | null): Promise<SoakRecord> {
    const { id, options, startedAt, rounds, log, collection, stores, leftovers } = this;
    let lease: SoakRecord['lease'] = [];
    await this.attempt('the history of the lease was not read', async () => {
      lease = await this.ports.leases.history();
    });
    return {
      version: 1,
      ...{ id, seed: options.seed, minutes: options.minutes, startedAt, endedAt: this.now() },
      ...{ rounds, clients: log.counts(), writes: log.writes, lease, applied: this.applied() },
      ...{ seedIds: collection.seedIds, stores, stopped, leftovers },
    };
  }

  private applied(): AppliedPublish[] {
    return this.status.eventsSince(this.startedAt).flatMap(({ kind, site, at, detail }) => {
      const begunAt = kind === 'applied' ? publishBegunAt(detail) : null;
      return begunAt === null ? [] : [{ site, appliedAt: Date.parse(at), begunAt }];
    });
  }

  private port(name: string): SitePort {
    const found = this.ports.sites.find((site) => site.site.site === name);
    if (found === undefined) throw new DrillAbortedError(`the context knows no site ${name}`);
    return found;
  }

  private say(text: string): void {
    this.ports.progress.phase(text);
  }

  private now(): number {
    return this.ports.clock.now();
  }
}

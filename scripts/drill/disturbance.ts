/** What a scenario does to the world, from the fault to the moment when nothing more is done to it. */
import { siteOf } from '../cli/context';
import { DrillAbortedError } from '../cli/errors';
import type { SitePort } from '../cli/site-client';
import { Load } from './clients/load';
import { somebodyDecides } from './decide';
import type { Repairs } from './fault';
import type { DrillOptions, DrillPorts } from './ports';
import type { Marks } from './record';
import type { ScenarioFault } from './scenarios';
import type { Supervision } from './supervision';

export interface DisturbanceParts {
  readonly ports: DrillPorts;
  readonly options: DrillOptions;
  readonly from: SitePort;
  readonly to: SitePort;
  /** The server that leads the active site. */
  readonly leader: string;
  readonly id: string;
  readonly marks: Marks;
  readonly repairs: Repairs;
  readonly supervision: Supervision;
  readonly over: AbortSignal;
  /** Who holds the lease, as the sites say. */
  readonly holder: () => string | null;
  readonly step: (text: string) => void;
}

export class Disturbance {
  private load: Load | null = null;

  constructor(private readonly parts: DisturbanceParts) {}

  async strike(): Promise<void> {
    const { ports, options, from, to, marks } = this.parts;
    const { scenario } = options;
    const faults = scenario.faults({
      active: siteOf(ports.context, from.site.site),
      standby: siteOf(ports.context, to.site.site),
      detectionSeconds: ports.context.budget.rto.sickHolder.stages[0]?.seconds ?? 0,
      leader: this.parts.leader,
    });
    marks.faultStarted = this.now();
    if (scenario.cause === 'planned') await this.planned();
    if (scenario.overloads === true) this.overload();
    await this.inject(faults);
    marks.faultDone ??= this.now();
    if (scenario.expect === 'switch') {
      if (scenario.cause !== 'planned' && ports.context.switchingMode === 'manual') this.askSomebody();
      return;
    }
    await this.stand();
  }

  /** Ends a load that still goes on; what faults left is undone by the drill's repairs. */
  async end(): Promise<void> {
    const { load } = this;
    this.load = null;
    if (load === null) return;
    const { answered, failed } = await load.stop();
    this.parts.step(`load ended: ${answered} completions answered, ${failed} not`);
  }

  private async planned(): Promise<void> {
    const { options, from, to, id, supervision, step } = this.parts;
    step(`planned switch from ${from.site.site} to ${to.site.site}`);
    await supervision.guard(from.switch({ by: options.by, reason: `drill ${id}` }), 'the planned switch');
  }

  private overload(): void {
    const { ports, from, step } = this.parts;
    step(`load: more completions than ${from.site.site} can answer in time`);
    this.load = new Load(ports.context, from.site);
    this.load.start();
  }

  private async inject(faults: readonly ScenarioFault[]): Promise<void> {
    const { repairs, supervision, marks, step } = this.parts;
    for (const fault of faults) {
      step(`fault: ${fault.words.join(' ')}`);
      // What comes and goes has begun by now; there is no one moment at which it is done.
      if (fault.lastsSeconds !== undefined) marks.faultDone ??= this.now();
      await supervision.guard(repairs.inject(fault), 'the fault command');
    }
  }

  /** Long enough for any switch that this should not cause to have happened. */
  private async stand(): Promise<void> {
    const { ports, options, from, supervision, holder, step } = this.parts;
    const seconds = options.standSeconds ?? ports.context.budget.rto.predictedSeconds;
    step(`the fault stands for ${seconds.toFixed(0)} s; nothing may switch`);
    const until = this.now() + seconds * 1000;
    await supervision.waitUntil('the fault to have had its time', () => {
      const now = holder();
      if (now !== null && now !== from.site.site)
        throw new DrillAbortedError(`${now} took over, which this fault must not lead to`);
      return this.now() >= until;
    });
    await this.end();
  }

  /** The switch is somebody's to decide; the waiting for it goes on meanwhile. */
  private askSomebody(): void {
    const { ports, options, from, to, id, over, step } = this.parts;
    void somebodyDecides({
      sick: options.scenario.cause === 'holder-sick',
      from,
      to,
      by: options.by,
      reason: `drill ${id}`,
      afterSeconds: options.decideAfterSeconds,
      clock: ports.clock,
      signal: AbortSignal.any([over, ports.signal]),
      onStep: step,
    });
  }

  private now(): number {
    return this.parts.ports.clock.now();
  }
}

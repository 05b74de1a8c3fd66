/** Who holds the lease, and handing it to a site in order, whatever has been done to either before. */
import { otherSite } from '../cli/context';
import { DrillAbortedError } from '../cli/errors';
import { failback } from '../cli/failback';
import { isHolding } from '../cli/overview';
import type { StatusWatcher } from '../drill/clients/watchers';
import type { DrillPorts } from '../drill/ports';
import { untilSteady } from '../drill/steady-state';

export interface MoverOptions {
  readonly by: string;
  readonly reason: string;
  /** For a holder to show up, a site to be fit again, and the steady state to come back: each. */
  readonly recoverSeconds: number;
}

export class LeaseMover {
  constructor(
    private readonly ports: DrillPorts,
    private readonly status: StatusWatcher,
    private readonly options: MoverOptions,
  ) {}

  /** Who holds the lease once somebody does. */
  async holder(): Promise<string> {
    const { clock, signal } = this.ports;
    const until = clock.now() + this.options.recoverSeconds * 1000;
    for (;;) {
      const seen = [...this.status.latest].flatMap(([site, look]) =>
        look !== null && isHolding(look.status) ? [site] : [],
      );
      if (seen.length === 1 && seen[0] !== undefined) return seen[0];
      if (clock.now() > until)
        throw new DrillAbortedError(
          `nobody serves ${this.options.recoverSeconds} s after everything was mended`,
          { next: ['look at `failover status`: what it names is what the soak has found'] },
        );
      await clock.delay(500, signal);
    }
  }

  async handTo(site: string): Promise<void> {
    const { sites, signal, progress } = this.ports;
    const { by, reason, recoverSeconds } = this.options;
    const onStep = (step: string): void => progress.phase(step);
    await failback(site, sites, { by, reason, waitSeconds: recoverSeconds, onStep, signal });
  }

  /** To the site that does not hold it, re-protected before where it must be, and on to the steady state; answers who it is. */
  async handOver(): Promise<string> {
    const { recoverSeconds } = this.options;
    const next = otherSite(this.ports.context, await this.holder()).site;
    await this.handTo(next);
    if (await untilSteady(this.ports, recoverSeconds)) return next;
    throw new DrillAbortedError(`not the steady state ${recoverSeconds} s after everything was mended`);
  }
}

/** When was the last drill, and did it pass? The operator's command says so to every site when one has ended. */
import type { Registry } from 'prom-client';
import type { DrilledRequest, DrillStatus } from '../../infra/contract/agent-api';
import { optionalGauge } from './optional-gauge';
import type { RecordEvent, SiteClock } from './ports';
import { wallAgeSeconds } from './state/age';
import type { Ledger } from './state/ledger';

export class Drills {
  constructor(
    private readonly ledger: Ledger,
    private readonly clock: SiteClock,
    private readonly record: RecordEvent,
  ) {}

  /** A site that never was drilled counts from when it began. */
  async beginToWait(): Promise<void> {
    if (this.ledger.state.drill === null)
      await this.ledger.update({ drill: { since: this.clock.wallIso(), last: null } });
  }

  async drilled({ id, scenario, passed }: DrilledRequest): Promise<DrillStatus> {
    await this.ledger.update({ drill: { since: this.clock.wallIso(), last: { id, scenario, passed } } });
    this.record('drilled', `${id} ${passed ? 'passed' : 'missed an objective, or was stopped'}`);
    return this.status();
  }

  status(): DrillStatus {
    const { drill } = this.ledger.state;
    if (drill === null) return { last: null, ageSeconds: 0 };
    return { last: drill.last, ageSeconds: wallAgeSeconds(drill.since, this.clock) };
  }

  measure(registry: Registry): void {
    const gauge = (name: string, help: string, read: (status: DrillStatus) => number | null): void => {
      optionalGauge(registry, `drill_${name}`, help, () => read(this.status()));
    };
    gauge('passed', 'Newest drill: 1 passed, 0 missed an objective or was stopped', ({ last }) =>
      last === null ? null : Number(last.passed),
    );
    gauge(
      'age_seconds',
      'Since then; without one, since this site first waited for one',
      (now) => now.ageSeconds,
    );
  }
}

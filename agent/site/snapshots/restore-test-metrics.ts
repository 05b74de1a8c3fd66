/** What Prometheus sees of restore tests; a series is absent while its value is unknown. */
import type { Registry } from 'prom-client';
import type { RestoreTestStatus } from '../../../infra/contract/agent-api';
import { optionalGauge } from '../optional-gauge';

export function restoreTestMetrics(registry: Registry, status: () => RestoreTestStatus): void {
  const gauge = (name: string, help: string, read: (status: RestoreTestStatus) => number | null): void => {
    optionalGauge(registry, `restore_test_${name}`, help, () => read(status()));
  };
  gauge(
    'passed',
    'Newest test of bringing a publish of the history back: 1 passed, 0 failed',
    ({ verdict }) => (verdict === null ? null : Number(verdict.result === 'passed')),
  );
  gauge(
    'age_seconds',
    'Since then; without one, since this site first waited for a test',
    (now) => now.ageSeconds,
  );
  gauge('seconds', 'How long it took', ({ verdict }) => verdict?.seconds ?? null);
  gauge('points', 'Points that it brought back', ({ verdict }) => verdict?.points ?? null);
}

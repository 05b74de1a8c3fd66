/** What Prometheus sees of the heartbeat; a series is absent while its value is unknown, which has an alert of its own. */
import type { Registry } from 'prom-client';
import type { HeartbeatStatus } from '../../../infra/contract/agent-api';
import { optionalGauge } from '../optional-gauge';

export function heartbeatMetrics(registry: Registry, status: () => HeartbeatStatus | undefined): void {
  const gauge = (name: string, help: string, read: (status: HeartbeatStatus) => number | null): void => {
    optionalGauge(registry, `heartbeat_${name}`, help, () => {
      const now = status();
      return now === undefined ? null : read(now);
    });
  };
  gauge('loss_seconds', 'What the other site lacks, by the heartbeat in its data; holder only', (now) =>
    now.loss === null ? null : now.loss.seconds,
  );
  gauge('loss_writes', 'Acknowledged writes that the other site lacks, by the same; holder only', (now) =>
    now.loss === null ? null : now.loss.writes,
  );
  gauge(
    'written_age_seconds',
    'Since the newest acknowledged heartbeat; holder only',
    (now) => now.writtenAgeSeconds,
  );
  gauge(
    'report_age_seconds',
    'Since the other site last said which it holds; holder only',
    (now) => now.reportAgeSeconds,
  );
  gauge(
    'found_sequence',
    'Number of the newest heartbeat in the data here',
    (now) => now.found?.sequence ?? null,
  );
}

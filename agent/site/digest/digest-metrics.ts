/** What Prometheus sees of digests; a series is absent while its value is unknown. */
import type { Registry } from 'prom-client';
import { optionalGauge } from '../optional-gauge';
import type { Digests } from './digests';

const NUMBERS = { same: 1, different: 0, absent: -1 } as const;

export function digestMetrics(registry: Registry, digests: Pick<Digests, 'check' | 'digester'>): void {
  const gauge = (name: string, help: string, read: () => number | null): void => {
    optionalGauge(registry, `digest_${name}`, help, read);
  };
  const last = () => digests.check.last;
  gauge(
    'verdict',
    'Newest comparison of every point with the publish: 1 same, 0 different, -1 no digest',
    () => {
      const verdict = last();
      return verdict === null ? null : NUMBERS[verdict.result];
    },
  );
  gauge('same_age_seconds', "Since every point here was last found to be the publisher's", () =>
    digests.check.sameAgeSeconds(),
  );
  gauge('check_seconds', 'How long the newest comparison took', () => last()?.seconds ?? null);
  gauge('check_points', 'Points that the newest comparison read', () => last()?.points ?? null);
  gauge('absent_collections', 'Collections of the last publish made here that have no digest', () => {
    const outcome = digests.digester.outcome;
    return outcome === null ? null : outcome.absent.length;
  });
}

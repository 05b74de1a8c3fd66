/** What Prometheus sees of the DNS record and the alerts; nothing where there are none. */
import { Gauge, type Registry } from 'prom-client';
import type { StatusResponse } from '../../infra/contract/agent-api';
import { optionalGauge } from './optional-gauge';

type Seen = Pick<StatusResponse, 'dnsRecord' | 'alerts'>;

export function outwardMetrics(registry: Registry, status: () => Seen): void {
  const { dnsRecord, alerts } = status();
  if (dnsRecord !== undefined) dnsMetrics(registry, () => status().dnsRecord);
  if (alerts !== undefined) alertMetrics(registry, () => status().alerts);
}

function dnsMetrics(registry: Registry, view: () => Seen['dnsRecord']): void {
  const gauge = (
    name: string,
    help: string,
    read: (seen: NonNullable<Seen['dnsRecord']>) => number | null,
  ): void =>
    optionalGauge(registry, `dns_record_${name}`, help, () => {
      const seen = view();
      return seen === undefined ? null : read(seen);
    });
  gauge('here', '1 verified, 0 not so; holder only', ({ state }) =>
    state === 'not-holder' ? null : state === 'here' ? 1 : 0,
  );
  gauge('failures', 'Failures in a row', ({ failures }) => failures);
  gauge('moves', 'Times that it was moved here since the start', ({ moves }) => moves);
  gauge('checked_age_seconds', 'Since it was last verified; holder only', (seen) => seen.checkedAgeSeconds);
}

function alertMetrics(registry: Registry, view: () => Seen['alerts']): void {
  new Gauge({
    name: 'failover_alerts_open',
    help: 'Alerts that last, by severity',
    labelNames: ['severity'],
    registers: [registry],
    collect() {
      for (const severity of ['critical', 'error', 'warning', 'info'])
        this.set({ severity }, view()?.open.filter((alert) => alert.severity === severity).length ?? 0);
    },
  });
  const byTarget = (name: string, help: string, read: (target: Target) => number) =>
    new Gauge({
      name: `failover_alert_${name}`,
      help,
      labelNames: ['target'],
      registers: [registry],
      collect() {
        for (const target of view()?.targets ?? []) this.set({ target: target.kind }, read(target));
      },
    });
  byTarget('messages_waiting', 'Messages that are still to be delivered', ({ waiting }) => waiting);
  byTarget('messages_delivered', 'Messages delivered since the start', ({ delivered }) => delivered);
  byTarget('messages_refused', 'Messages that the target will never take', ({ refused }) => refused);
  byTarget('target_failing', '1 while the last try failed', ({ trouble }) => (trouble === null ? 0 : 1));
}

type Target = NonNullable<Seen['alerts']>['targets'][number];

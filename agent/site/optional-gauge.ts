import { Gauge, type Registry } from 'prom-client';

/**
 * A gauge `failover_<name>` that is read when asked for, and absent, not zero, while its value is unknown: an absent
 * series has an alert of its own.
 */
export function optionalGauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | null,
): void {
  new Gauge({
    name: `failover_${name}`,
    help,
    registers: [registry],
    collect() {
      const value = read();
      if (value === null) this.remove();
      else this.set(value);
    },
  });
}

import { DiskFullError, HostUnsuitableError, PortTakenError } from './errors';
import type { HostPort, Listener } from './port';

const MEBIBYTE = 1024 * 1024;
/** Packages, configuration and state need little; data has its own checks. */
const MINIMUM_FREE_BYTES = 512 * MEBIBYTE;

/** What every section needs; told before anything is touched. */
export async function checkHost(host: HostPort): Promise<void> {
  if ((await host.stat('/run/systemd/system')) === null) {
    throw new HostUnsuitableError(
      'systemd does not run this server (/run/systemd/system is absent): use a server that boots with systemd',
    );
  }
  if ((await host.stat('/usr/bin/apt-get')) === null) {
    throw new HostUnsuitableError('apt-get is absent: only Debian and its relatives are supported');
  }
  for (const directory of ['/var/lib', '/etc', '/run']) {
    const free = await host.freeBytes(directory);
    const needed = directory === '/var/lib' ? MINIMUM_FREE_BYTES : MEBIBYTE;
    if (free < needed) {
      throw new DiskFullError(
        `${directory} has ${Math.floor(free / MEBIBYTE)} MiB free and ${Math.ceil(needed / MEBIBYTE)} MiB are needed: ` +
          'free some space and apply again',
      );
    }
  }
}

export interface WantedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  /** Address that will be bound; `*` stands for all. */
  readonly address: string;
  readonly unit: string;
}

/** Refuses when something else listens there; our own unit may. */
export async function checkPort(host: HostPort, wanted: WantedPort): Promise<void> {
  const taken = (await host.listeners()).find(
    (listener) =>
      listener.protocol === wanted.protocol &&
      listener.port === wanted.port &&
      listener.unit !== wanted.unit &&
      overlaps(listener.address, wanted.address),
  );
  if (taken === undefined) return;
  throw new PortTakenError(
    `${wanted.unit} needs ${wanted.protocol} port ${wanted.port} and ${describeOwner(taken)} has it ` +
      `(${taken.address}): stop that, or give one of the two another port, and apply again`,
  );
}

function describeOwner(listener: Listener): string {
  if (listener.pid === null) return 'a process that cannot be seen from here';
  const unit = listener.unit === null ? '' : ` of ${listener.unit}`;
  return `process ${listener.pid} (${listener.command ?? 'unknown'}${unit})`;
}

const EVERYWHERE = new Set(['*', '0.0.0.0', '::']);

function overlaps(a: string, b: string): boolean {
  return EVERYWHERE.has(a) || EVERYWHERE.has(b) || a === b || a === `::ffff:${b}`;
}

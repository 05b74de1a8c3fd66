/** Programs that the operator's machine gets from its distribution. */
import { run, CommandFailedError } from '../run';
import { progress } from '../cache';
import { answerOf } from '../ways';

/** Packages are missing and this process cannot install them. */
export class PackagesMissingError extends Error {
  readonly code = 'PACKAGES_MISSING';
  constructor(missing: readonly string[], reason: string) {
    super(
      `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} needed and not installed, and ${reason}. ` +
        `Run: sudo apt-get install ${missing.join(' ')}`,
    );
    this.name = 'PackagesMissingError';
  }
}

export interface PackagePorts {
  /** What dpkg-query says of the packages that it knows: `name status` a line. */
  readonly query: (names: readonly string[]) => Promise<string>;
  readonly install: (args: readonly string[]) => Promise<void>;
  readonly isRoot: () => boolean;
}

/** Installs what is missing where root, else fails with the command that a person can run. */
export async function ensureDebianPackages(
  names: readonly string[],
  ports: PackagePorts = MACHINE,
): Promise<void> {
  const missing = missingPackages(names, await ports.query(names));
  if (missing.length === 0) return;
  if (!ports.isRoot()) throw new PackagesMissingError(missing, 'this process is not root');
  progress(`installing ${missing.join(', ')}`);
  try {
    await ports.install(['update', '-q']);
    await ports.install(['install', '-y', '-q', '--no-install-recommends', ...missing]);
  } catch (error) {
    if (!(error instanceof CommandFailedError)) throw error;
    throw new PackagesMissingError(missing, `apt-get failed:\n${error.message}\n`);
  }
}

/** Exported for tests. */
export function missingPackages(names: readonly string[], told: string): readonly string[] {
  const installed = new Set(
    told
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, status]) => status === 'installed')
      .map(([name]) => name),
  );
  return names.filter((name) => !installed.has(name));
}

const MACHINE: PackagePorts = {
  // One at a time: a name that dpkg does not know makes the whole query fail.
  query: async (names) => {
    const told = names.map((name) =>
      answerOf(run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', name])),
    );
    return (await Promise.all(told)).join('\n');
  },
  install: async (args) => {
    await run('apt-get', args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  },
  isRoot: () => process.getuid?.() === 0,
};

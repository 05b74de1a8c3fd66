import type { Converger } from './converge';
import { CommandFailedError, HostUnsuitableError, PackageUnavailableError } from './errors';
import { unitPath } from './paths';
import type { HostPort } from './port';

const APT_ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Options::=--force-confold'];
const INSTALL = ['install', '--no-install-recommends', '-y'];

export interface PackageRequest {
  readonly names: readonly string[];
  /** The distribution's own units of these packages: masked, so that they neither start now nor at the next boot. */
  readonly mask?: readonly string[];
  /** What the packages' own scripts make and a purge leaves behind. */
  readonly leaves?: { readonly users?: readonly string[]; readonly trees?: readonly string[] };
}

export async function installedPackages(host: HostPort, names: readonly string[]): Promise<Set<string>> {
  const result = await host.run('dpkg-query', ['-W', '-f', '${Package}\\t${db:Status-Status}\\n', ...names]);
  return new Set(
    result.stdout
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([, status]) => status === 'installed')
      .map(([name]) => name ?? ''),
  );
}

/** Installs what is missing and journals exactly what that brings along. */
export async function ensurePackages(converger: Converger, request: PackageRequest): Promise<void> {
  const { host, journal, section } = converger;
  const installed = await installedPackages(host, request.names);
  const missing = request.names.filter((name) => !installed.has(name));
  const ours = new Set(
    journal
      .sections()
      .flatMap((name) => journal.entries(name))
      .flatMap((entry) => (entry.kind === 'packages' ? entry.installed : [])),
  );
  // A unit of a package that was there before us belongs to whoever installed it.
  if (missing.length > 0 || request.names.every((name) => ours.has(name))) {
    for (const unit of request.mask ?? []) await converger.symlink(unitPath(unit), '/dev/null');
  }
  const recorded = journal
    .entries(section)
    .some(
      (entry) => entry.kind === 'packages' && request.names.every((name) => entry.requested.includes(name)),
    );
  if (missing.length === 0) {
    if (!recorded && request.names.some((name) => ours.has(name))) {
      await journal.record(section, { kind: 'packages', requested: [...request.names], installed: [] });
    }
    return;
  }
  await finishInterruptedInstall(converger);
  const additions = await simulateInstall(converger, missing);
  // Entries are undone newest first, so these go after the packages.
  for (const name of request.leaves?.users ?? []) {
    if ((await converger.findUser(name)) === null) await journal.record(section, { kind: 'user', name });
  }
  for (const path of request.leaves?.trees ?? []) {
    if ((await host.stat(path)) === null) await journal.record(section, { kind: 'tree', path });
  }
  const remembered = additions.filter((name) => !ours.has(name));
  if (!recorded || remembered.length > 0) {
    await journal.record(section, {
      kind: 'packages',
      requested: [...request.names],
      installed: remembered,
    });
  }
  await converger.command('apt-get', [...APT_OPTIONS, ...INSTALL, ...missing], {
    environment: APT_ENVIRONMENT,
    timeoutSeconds: 1800,
    what: `installing ${missing.join(', ')}`,
  });
  converger.changed(`installed ${(additions.length > 0 ? additions : missing).join(', ')}`);
}

async function finishInterruptedInstall(converger: Converger): Promise<void> {
  const audit = await converger.host.run('dpkg', ['--audit']);
  if (audit.code === 0 && audit.stdout.trim() === '') return;
  // The apt of an apply that was killed may still be at work, holding dpkg's lock.
  const end = converger.host.nowSeconds() + 300;
  for (;;) {
    const result = await converger.host.run('dpkg', ['--force-confold', '--configure', '-a'], {
      environment: APT_ENVIRONMENT,
      timeoutSeconds: 1800,
    });
    if (result.code === 0) return;
    if (!/\block/.test(result.stderr) || converger.host.nowSeconds() > end) {
      throw new CommandFailedError('finishing an interrupted installation', result);
    }
    await converger.host.sleep(1);
  }
}

/** Names of the packages that apt would add. Refuses an installation that would remove something. */
async function simulateInstall(converger: Converger, names: readonly string[]): Promise<string[]> {
  const simulate = () =>
    converger.host.run('apt-get', [...APT_OPTIONS, '--simulate', ...INSTALL, ...names], {
      environment: APT_ENVIRONMENT,
    });
  let result = await simulate();
  if (result.code !== 0) {
    // A fresh image has no package lists, or old ones.
    await converger.command('apt-get', [...APT_OPTIONS, 'update'], {
      environment: APT_ENVIRONMENT,
      timeoutSeconds: 600,
      what: 'updating the package lists',
    });
    result = await simulate();
  }
  if (result.code !== 0) {
    throw new PackageUnavailableError(
      `apt-get cannot install ${names.join(', ')}: ${result.stderr.trim()}. ` +
        'Give the server a package source that has them (Debian 12 main has) and apply again',
    );
  }
  const lines = result.stdout.split('\n');
  const removals = lines.filter((line) => line.startsWith('Remv ')).map((line) => line.split(' ')[1]);
  if (removals.length > 0) {
    throw new HostUnsuitableError(
      `installing ${names.join(', ')} would remove ${removals.join(', ')}: settle the conflict on the server first`,
    );
  }
  // "Inst name [old version] (new version …)" is an upgrade of something that was there.
  return lines.flatMap((line) => {
    const match = /^Inst (\S+) \(/.exec(line);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

/** Purges what only the sections being removed needed. Returns the names purged and what had to stay. */
export async function purgePackages(
  host: HostPort,
  run: Converger['command'],
  requested: readonly string[],
  candidates: readonly string[],
): Promise<{ purged: string[]; kept: string[] }> {
  const ours = new Set(candidates);
  const purged: string[] = [];
  const kept: string[] = [];
  const purge = async (names: readonly string[]): Promise<void> => {
    await run('apt-get', [...APT_OPTIONS, 'purge', '-y', ...names], {
      environment: APT_ENVIRONMENT,
      timeoutSeconds: 1800,
      what: `purging ${names.join(', ')}`,
    });
    purged.push(...names.filter((name) => !purged.includes(name)));
    names.forEach((name) => ours.delete(name));
  };
  const present = await installedPackages(host, [...ours]);
  for (const name of requested.filter((wanted) => present.has(wanted))) {
    if (!ours.has(name)) continue;
    const wouldGo = await simulatedRemovals(host, ['purge', name]);
    if (wouldGo.every((other) => ours.has(other))) await purge(wouldGo.length > 0 ? wouldGo : [name]);
    else kept.push(name);
  }
  for (;;) {
    // Dependencies that came with ours and that nothing needs any more; never what was orphaned before us.
    const orphans = (await simulatedRemovals(host, ['autoremove', '--purge'])).filter((name) =>
      ours.has(name),
    );
    const safe = [];
    for (const name of orphans) {
      const wouldGo = await simulatedRemovals(host, ['purge', name]);
      if (wouldGo.every((other) => ours.has(other))) safe.push(name);
    }
    if (safe.length === 0) break;
    await purge(safe);
  }
  return { purged, kept };
}

async function simulatedRemovals(host: HostPort, command: readonly string[]): Promise<string[]> {
  const result = await host.run('apt-get', [...APT_OPTIONS, '--simulate', ...command], {
    environment: APT_ENVIRONMENT,
  });
  return result.stdout
    .split('\n')
    .flatMap((line) => {
      const match = /^(?:Remv|Purg) (\S+)/.exec(line);
      return match?.[1] === undefined ? [] : [match[1]];
    })
    .filter((name, index, all) => all.indexOf(name) === index);
}

import type { RunResult } from '../port';

const answer = (stdout = ''): RunResult => ({ code: 0, stdout, stderr: '' });

const DEPENDENCIES: Record<string, readonly string[]> = {
  bzip2: [],
  haproxy: ['liblua5.3-0'],
  nftables: ['libnftables1'],
  'pdns-server': ['libboost-program', 'liblua5.3-0'],
  'pdns-backend-sqlite3': ['pdns-server', 'libsqlite3-0'],
  sqlite3: ['libsqlite3-0'],
  podman: ['conmon', 'crun'],
  rclone: [],
  'ca-certificates': [],
};
const UNITS: Record<string, string> = { haproxy: 'haproxy.service', 'pdns-server': 'pdns.service' };

export interface AptHooks {
  masked(unit: string): boolean;
  installed(name: string, present: boolean): void;
}

/** apt and dpkg with a handful of packages. */
export class FakeApt {
  readonly installed = new Set<string>(['base-files', 'coreutils']);
  private readonly automatic = new Set<string>();
  /** The distribution's own units that were started by an installation. */
  readonly started: string[] = [];
  available = new Set(Object.keys(DEPENDENCIES));

  constructor(private readonly hooks: AptHooks) {}

  private closure(names: readonly string[]): string[] {
    const all = new Set<string>();
    const visit = (name: string): void => {
      if (all.has(name)) return;
      all.add(name);
      (DEPENDENCIES[name] ?? []).forEach(visit);
    };
    names.forEach(visit);
    return [...all];
  }

  private orphans(): string[] {
    const needed = new Set(this.closure([...this.installed].filter((name) => !this.automatic.has(name))));
    return [...this.installed].filter((name) => !needed.has(name));
  }

  private dependants(names: readonly string[]): string[] {
    return [...this.installed].filter((name) => this.closure([name]).some((each) => names.includes(each)));
  }

  private words(args: readonly string[]): { verb: string; names: string[]; simulate: boolean } {
    const plain: string[] = [];
    for (let at = 0; at < args.length; at += 1) {
      const word = args[at] ?? '';
      if (word === '-o') at += 1;
      else if (!word.startsWith('-')) plain.push(word);
    }
    const [verb = '', ...names] = plain;
    return { verb, names, simulate: args.includes('--simulate') };
  }

  query(args: readonly string[]): RunResult | undefined {
    const { verb, names, simulate } = this.words(args);
    if (!simulate) return undefined;
    if (verb === 'install') {
      const unknown = names.filter((name) => !this.available.has(name));
      if (unknown.length > 0)
        return { code: 100, stdout: '', stderr: `E: Unable to locate package ${unknown[0]}` };
      const missing = this.closure(names).filter((name) => !this.installed.has(name));
      return answer(missing.map((name) => `Inst ${name} (1.0 Debian:12.5/stable [amd64])`).join('\n'));
    }
    const gone = verb === 'autoremove' ? this.orphans() : this.dependants(names);
    return answer(gone.map((name) => `Purg ${name} [1.0]`).join('\n'));
  }

  dpkgQuery(args: readonly string[]): RunResult {
    const names = args.filter((word) => !word.startsWith('-') && !word.includes('$'));
    const known = names.filter((name) => this.installed.has(name));
    return {
      code: known.length === names.length ? 0 : 1,
      stdout: known.map((name) => `${name}\tinstalled\n`).join(''),
      stderr: '',
    };
  }

  change(args: readonly string[]): RunResult {
    const { verb, names } = this.words(args);
    if (verb === 'install') {
      for (const name of this.closure(names)) {
        if (this.installed.has(name)) continue;
        this.installed.add(name);
        if (!names.includes(name)) this.automatic.add(name);
        this.hooks.installed(name, true);
        const unit = UNITS[name];
        if (unit !== undefined && !this.hooks.masked(unit)) this.started.push(unit);
      }
    }
    if (verb === 'purge') {
      for (const name of this.dependants(names)) {
        this.installed.delete(name);
        this.automatic.delete(name);
        this.hooks.installed(name, false);
      }
    }
    return answer();
  }
}

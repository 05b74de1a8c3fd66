import type { RunResult } from '../port';

const answer = (stdout = ''): RunResult => ({ code: 0, stdout, stderr: '' });

interface Unit {
  loaded: string | null;
  active: boolean;
  enabled: boolean;
}

/** Units as systemctl shows and changes them, as far as apply and remove ask. */
export class FakeSystemd {
  private readonly units = new Map<string, Unit>();
  /** Starts, restarts, reloads and stops, in order. */
  readonly log: string[] = [];
  /** Units whose start fails. */
  readonly broken = new Set<string>();
  reloads = 0;

  constructor(private readonly read: (file: string) => string | null) {}

  picture(): unknown {
    return [...this.units]
      .filter(([, unit]) => unit.active || unit.enabled)
      .sort(([a], [b]) => a.localeCompare(b));
  }

  stopUnit(name: string): void {
    this.unit(name).active = false;
  }

  private unit(name: string): Unit {
    const known = this.units.get(name) ?? { loaded: null, active: false, enabled: false };
    this.units.set(name, known);
    return known;
  }

  private file(name: string): string | null {
    return this.read(`/etc/systemd/system/${name}`);
  }

  query(args: readonly string[]): RunResult | undefined {
    const [verb, name = ''] = args;
    if (verb === 'cat')
      return this.file(name) === null ? { code: 1, stdout: '', stderr: 'No files' } : answer();
    if (verb !== 'show') return undefined;
    const unit = this.unit(name);
    const content = this.file(name);
    unit.loaded ??= content;
    return answer(
      [
        `ActiveState=${unit.active ? 'active' : 'inactive'}`,
        `UnitFileState=${content === null ? '' : unit.enabled ? 'enabled' : 'disabled'}`,
        `NeedDaemonReload=${unit.loaded === content ? 'no' : 'yes'}`,
        'NRestarts=0',
      ].join('\n'),
    );
  }

  change(args: readonly string[]): RunResult {
    const [verb = ''] = args;
    const name = args[args.length - 1] ?? '';
    if (verb === 'daemon-reload') {
      this.reloads += 1;
      for (const [each, unit] of this.units) unit.loaded = this.file(each);
      return answer();
    }
    if (verb === 'reset-failed') return answer();
    const unit = this.unit(name);
    const content = this.file(name);
    if (verb === 'disable' || verb === 'stop') {
      unit.enabled &&= verb === 'stop';
      if (unit.active) this.log.push(`stop ${name}`);
      unit.active = false;
      return answer();
    }
    if (content === null) return { code: 5, stdout: '', stderr: `Unit ${name} not found.` };
    if (unit.loaded !== null && unit.loaded !== content) {
      return { code: 1, stdout: '', stderr: `${name} changed on disk: daemon-reload was forgotten` };
    }
    if (verb === 'enable') unit.enabled = true;
    if (verb === 'restart' || (verb === 'try-restart' && unit.active)) {
      if (this.broken.has(name)) return { code: 1, stdout: '', stderr: `Job for ${name} failed.` };
      unit.active = true;
      this.log.push(`restart ${name}`);
    }
    if (verb === 'reload' || (verb === 'try-reload-or-restart' && unit.active))
      this.log.push(`reload ${name}`);
    return answer();
  }
}

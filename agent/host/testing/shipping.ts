import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { LogsSpec } from '../../../infra/contract/site-spec';
import { rcloneConfig } from '../sections/logs';
import { type ShipScript, shipScript } from '../sections/ship-script';

/**
 * As journalctl: from after the place in the cursor file on, and the place where it stopped into that file, whether or not
 * anybody took the lines. Without any it fails and says nothing.
 */
const JOURNALCTL = `#!/bin/bash
for word in "$@"; do case "$word" in --cursor-file=*) file=\${word#*=};; esac; done
after=$(sed -n 's/^s=0;i=//p' "$file" 2>/dev/null)
total=$(wc -l <"$TEST/journal")
tail -n +$((\${after:-0} + 1)) "$TEST/journal"
[ "$total" -gt 0 ] || exit 1
echo "s=0;i=$total" >"$file"
`;

export interface Run {
  readonly status: number | null;
  readonly stderr: string;
}

/** A server's journal, spool and shipping script in a folder. */
export class Shipping {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shipping-'));
  private said = 0;

  constructor() {
    for (const name of ['bin', 'state']) fs.mkdirSync(this.at(name));
    this.program('journalctl', JOURNALCTL);
    fs.writeFileSync(this.at('journal'), '');
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  /** Found before the machine's own. */
  program(name: string, text: string): void {
    fs.writeFileSync(this.at('bin', name), text, { mode: 0o755 });
  }

  configure(spec: Partial<LogsSpec>, options: Partial<ShipScript> = {}): void {
    const complete = LogsSpec.parse({ credentials: 'instance', ...spec });
    const rcloneFile = this.at('rclone.conf');
    fs.writeFileSync(rcloneFile, rcloneConfig(complete));
    const script = shipScript({
      spec: complete,
      site: 'uk-primary',
      server: 'uk-1',
      stateDirectory: this.at('state'),
      rcloneConfig: rcloneFile,
      ...options,
    });
    fs.writeFileSync(this.at('ship'), script, { mode: 0o755 });
  }

  log(...messages: string[]): void {
    const lines = messages.map((MESSAGE) => {
      this.said += 1;
      return `${JSON.stringify({ __CURSOR: `s=0;i=${this.said}`, MESSAGE })}\n`;
    });
    fs.appendFileSync(this.at('journal'), lines.join(''));
  }

  start(environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const PATH = `${this.at('bin')}:${process.env['PATH'] ?? ''}`;
    return spawn(this.at('ship'), { detached: true, env: { PATH, TEST: this.folder, ...environment } });
  }

  async run(environment: Readonly<Record<string, string>> = {}): Promise<Run> {
    const child = this.start(environment);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { status, stderr };
  }

  /** Files below a folder of this one, by their paths there. */
  files(...names: string[]): string[] {
    const folder = this.at(...names);
    if (!fs.existsSync(folder)) return [];
    return fs
      .readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
      .sort();
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true });
  }
}

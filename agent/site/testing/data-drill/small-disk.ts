/** A file system of its own that can be filled to the last byte. */
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

export class SmallDisk {
  private constructor(
    readonly name: string,
    private readonly path: string,
  ) {}

  /** Needs root. */
  static mount(name: string, path: string, mebibytes: number): SmallDisk {
    run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'data-drill', path]);
    return new SmallDisk(name, path);
  }

  /** Leaves so many bytes free. */
  fill(leaveBytes: number): void {
    const { bavail, bsize } = statfsSync(this.path);
    const bytes = Math.max(bsize, bavail * bsize - leaveBytes);
    run('fallocate', ['--length', String(bytes), join(this.path, 'filler')]);
  }

  free(): void {
    rmSync(join(this.path, 'filler'), { force: true });
  }

  unmount(): void {
    run('umount', ['--lazy', this.path]);
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/**
 * A checkout of its own for a test: another path, so another lab, which never meets the one that a person has up here.
 * What was built once is shared.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmod, cp, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cacheRoot, REPOSITORY } from '../../tools/cache';
import { CommandFailedError, run } from '../../tools/run';
import { namesFor, type Names } from '../names';
import { markedProcesses } from '../processes';

const PARTS = ['lab', 'tools', 'infra', 'Pulumi.yaml', 'package.json', 'package-lock.json', 'tsconfig.json'];

export class TestCheckout {
  readonly names: Names;
  private constructor(readonly folder: string) {
    this.names = namesFor(folder);
  }

  static async make(): Promise<TestCheckout> {
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'lab-')));
    await chmod(folder, 0o755); // one test runs it as nobody
    for (const part of PARTS)
      await cp(path.join(REPOSITORY, part), path.join(folder, part), { recursive: true });
    await symlink(path.join(REPOSITORY, 'node_modules'), path.join(folder, 'node_modules'));
    return new TestCheckout(folder);
  }

  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, FAILOVER_CACHE: cacheRoot() };
  }

  get program(): string {
    return path.join(this.folder, 'lab', 'lab');
  }

  /** Runs a lab command and answers its stdout. */
  async lab(...words: string[]): Promise<string> {
    return run(this.program, words, { env: this.environment, cwd: this.folder });
  }

  /** Runs a lab command that must fail, and answers what it said. */
  async refused(...words: string[]): Promise<string> {
    try {
      await this.lab(...words);
    } catch (error) {
      if (error instanceof CommandFailedError) return error.output;
      throw error;
    }
    throw new Error(`lab ${words.join(' ')} succeeded, and was expected to fail`);
  }

  /** Starts a lab command in the background, in a process group of its own. */
  start(...words: string[]): ChildProcess {
    return spawn(this.program, words, {
      env: this.environment,
      cwd: this.folder,
      detached: true,
      stdio: 'ignore',
    });
  }

  async ssh(server: string, command: string): Promise<string> {
    return (await this.lab('ssh', server, '--', command)).trim();
  }

  async status(): Promise<{ up: boolean; servers: { name: string; address: string; running: boolean }[] }> {
    const told = await this.lab('status', '--json').catch((error: unknown) => {
      if (error instanceof CommandFailedError) return error.output;
      throw error;
    });
    return JSON.parse(told) as Awaited<ReturnType<TestCheckout['status']>>;
  }

  /** Whatever there is of this lab on the machine, outside of its own folder. */
  async traces(): Promise<string[]> {
    const { prefix } = this.names;
    const mine = (text: string): boolean => text.includes(prefix) || text.includes(`${this.folder}/`);
    const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter(mine);
    const processes = [
      ...(await markedProcesses(`${prefix}-`)).map((pid) => `marked process ${pid}`),
      ...(await run('ps', ['-e', '-ww', '-o', 'pid=,args='])).split('\n').filter(mine),
    ];
    const files = await Promise.all(
      ['/run', '/etc/netns', '/sys/fs/cgroup', '/tmp', '/var/lib', '/var/log'].map((folder) =>
        find(folder, prefix),
      ),
    );
    return [...mounts, ...processes, ...files.flat()];
  }

  /** Takes the lab down, whatever state it is in, and removes the checkout. */
  async remove(): Promise<void> {
    await this.lab('down');
    await rm(this.folder, { recursive: true });
  }
}

async function find(folder: string, part: string): Promise<string[]> {
  const found = await run('find', [folder, '-name', `*${part}*`]).catch((error: unknown) => {
    if (error instanceof CommandFailedError) return error.output; // files that vanish while it looks
    throw error;
  });
  return found.split('\n').filter((line) => line.startsWith('/'));
}

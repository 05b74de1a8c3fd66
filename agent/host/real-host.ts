import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isSystemError } from '../shared/errors';
import { HostUnsuitableError } from './errors';
import { readListeners } from './listeners';
import { askLoopback, askSocket, fetchTo, queryDns } from './network';
import type {
  FileInfo,
  FileOwner,
  HostPort,
  HttpAnswer,
  HttpRequest,
  Listener,
  RunOptions,
  RunResult,
} from './port';

const MINIMAL_ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
};

async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || isSystemError(error, 'ENOTDIR')) return null;
    throw error;
  }
}

async function syncPath(target: string): Promise<void> {
  const handle = await fs.open(target, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export class RealHost implements HostPort {
  readFile(file: string): Promise<Buffer | null> {
    return orNull(fs.readFile(file));
  }

  async stat(file: string): Promise<FileInfo | null> {
    const info = await orNull(fs.lstat(file));
    if (info === null) return null;
    const kind = info.isFile()
      ? 'file'
      : info.isDirectory()
        ? 'directory'
        : info.isSymbolicLink()
          ? 'symlink'
          : 'other';
    return { kind, mode: info.mode & 0o7777, uid: info.uid, gid: info.gid };
  }

  async writeFile(file: string, content: Buffer, mode: number, owner?: FileOwner): Promise<void> {
    // A fixed name, so that a kill leaves at most one leftover and the next write replaces it.
    const temporary = path.join(path.dirname(file), `.${path.basename(file)}.failover-new`);
    await fs.rm(temporary, { force: true });
    const handle = await fs.open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, file);
    await syncPath(path.dirname(file));
  }

  async makeDirectory(directory: string): Promise<void> {
    await fs.mkdir(directory, { recursive: true });
  }

  async setAttributes(file: string, mode: number, owner: FileOwner): Promise<void> {
    await fs.chown(file, owner.uid, owner.gid);
    await fs.chmod(file, mode);
  }

  makeSymlink(file: string, target: string): Promise<void> {
    return fs.symlink(target, file);
  }

  readSymlink(file: string): Promise<string> {
    return fs.readlink(file);
  }

  rename(from: string, to: string): Promise<void> {
    return fs.rename(from, to);
  }

  removeFile(file: string): Promise<void> {
    return fs.rm(file, { force: true });
  }

  async removeEmptyDirectory(directory: string): Promise<boolean> {
    try {
      await fs.rmdir(directory);
      return true;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return true;
      if (isSystemError(error, 'ENOTEMPTY') || isSystemError(error, 'EBUSY')) return false;
      throw error;
    }
  }

  removeTree(directory: string): Promise<void> {
    return fs.rm(directory, { recursive: true, force: true });
  }

  async listDirectory(directory: string): Promise<string[]> {
    return (await orNull(fs.readdir(directory))) ?? [];
  }

  async sha256(file: string): Promise<string | null> {
    const handle = await orNull(fs.open(file, 'r'));
    if (handle === null) return null;
    const hash = createHash('sha256');
    await pipeline(handle.createReadStream(), hash);
    return hash.digest('hex');
  }

  async freeBytes(directory: string): Promise<number> {
    let existing = directory;
    while ((await this.stat(existing)) === null) existing = path.dirname(existing);
    const { bavail, bsize } = await fs.statfs(existing);
    return bavail * bsize;
  }

  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const identity = options.user === undefined ? {} : await this.identityOf(options.user);
    return new Promise((resolve, reject) => {
      const child = spawn(command, [...args], {
        env: { ...MINIMAL_ENVIRONMENT, ...options.environment },
        cwd: '/',
        stdio: ['pipe', 'pipe', 'pipe'],
        timeout: (options.timeoutSeconds ?? 300) * 1000,
        killSignal: 'SIGKILL',
        ...identity,
      });
      const output = { stdout: '', stderr: '' };
      child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
      child.on('error', (error) => {
        if (isSystemError(error, 'ENOENT'))
          resolve({ code: 127, stdout: '', stderr: `${command}: not found` });
        else reject(error);
      });
      child.on('close', (code, signal) => {
        const late = signal === null ? '' : `\n${command} was ended by ${signal}`;
        resolve({ code: code ?? 128, stdout: output.stdout, stderr: output.stderr + late });
      });
      // A program that does not read its input closes the pipe; its exit status tells what matters.
      child.stdin.on('error', (error) => {
        if (!isSystemError(error, 'EPIPE')) reject(error);
      });
      child.stdin.end(options.stdin ?? '');
    });
  }

  private async identityOf(user: string): Promise<FileOwner> {
    const passwd = await fs.readFile('/etc/passwd', 'utf8');
    const fields = passwd
      .split('\n')
      .map((line) => line.split(':'))
      .find(([name]) => name === user);
    if (fields === undefined) throw new HostUnsuitableError(`the user ${user} does not exist`);
    return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }

  listeners(): Promise<Listener[]> {
    return readListeners();
  }

  localAddresses(): Promise<string[]> {
    const all = Object.values(os.networkInterfaces()).flatMap((addresses) => addresses ?? []);
    return Promise.resolve(all.map(({ address }) => address));
  }

  askSocket(socket: string, line: string): Promise<string> {
    return askSocket(socket, line);
  }

  http(url: string, request: HttpRequest): Promise<HttpAnswer> {
    return askLoopback(url, request);
  }

  async download(url: string, file: string, mode: number): Promise<void> {
    const temporary = `${file}.failover-new`;
    await fetchTo(url, temporary);
    await fs.chmod(temporary, mode);
    await syncPath(temporary);
    await fs.rename(temporary, file);
  }

  queryDns(server: string, name: string, type: 'SOA' | 'A'): Promise<{ rcode: string; answers: number }> {
    return queryDns(server, name, type);
  }

  nowSeconds(): number {
    return Number(process.hrtime.bigint()) / 1e9;
  }

  sleep(seconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }

  environment(name: string): string | undefined {
    return process.env[name];
  }
}

/** SHA-256 of a file, streamed. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

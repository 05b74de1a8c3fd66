import { createHash } from 'node:crypto';
import * as path from 'node:path';
import type {
  FileInfo,
  FileOwner,
  HostPort,
  HttpAnswer,
  HttpRequest,
  Listener,
  RunOptions,
  RunResult,
} from '../port';
import { FakeApt } from './fake-apt';
import { FakeSystemd } from './fake-systemd';

/** What a kill -9 of apply looks like from inside. */
export class KilledError extends Error {}

type Node =
  | { kind: 'file'; content: Buffer; mode: number; uid: number; gid: number }
  | { kind: 'directory'; mode: number; uid: number; gid: number }
  | { kind: 'symlink'; target: string };

export type CommandHandler = (args: readonly string[], options: RunOptions) => RunResult | undefined;

export const ok = (stdout = ''): RunResult => ({ code: 0, stdout, stderr: '' });
export const failed = (stderr: string, code = 1): RunResult => ({ code, stdout: '', stderr });

/** A server in memory: files, users, packages, units. Every change can be the last one before a kill. */
export class MemoryHost implements HostPort {
  readonly nodes = new Map<string, Node>();
  readonly systemd: FakeSystemd;
  readonly apt: FakeApt;
  readonly handlers = new Map<string, CommandHandler>();
  readonly commands: { command: string; args: readonly string[]; options: RunOptions }[] = [];
  readonly variables = new Map<string, string>();
  listening: Listener[] = [];
  addresses = ['127.0.0.1', '192.0.2.10'];
  free = 100 * 1024 ** 3;
  httpAnswer: (url: string, request: HttpRequest) => HttpAnswer = () => ({ status: 200, body: '' });
  mutations = 0;
  /** Number of the mutation after whose effect the program is killed. */
  killAt: number | null = null;
  private clock = 0;

  constructor() {
    for (const directory of [
      '/etc',
      '/etc/systemd/system',
      '/etc/ssh',
      '/run/systemd/system',
      '/usr/bin',
      '/var/lib',
      '/opt/failover/current',
      '/usr/share/pdns-backend-sqlite3/schema',
    ]) {
      this.makeTree(directory);
    }
    this.put('/usr/bin/apt-get', '');
    this.put('/opt/failover/current/failover-agent.js', 'bundle 1');
    this.put('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n');
    this.systemd = new FakeSystemd((file) => this.text(file));
    this.apt = new FakeApt({
      masked: (unit) => this.nodes.get(`/etc/systemd/system/${unit}`)?.kind === 'symlink',
      installed: (name, present) => {
        if (name === 'pdns-backend-sqlite3') {
          const schema = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';
          if (present) this.put(schema, 'PRAGMA foreign_keys = 1;\nCREATE TABLE domains (id);\n');
          else this.nodes.delete(schema);
        }
      },
    });
  }

  put(file: string, content: string, mode = 0o644): void {
    this.makeTree(path.dirname(file));
    this.nodes.set(file, { kind: 'file', content: Buffer.from(content), mode, uid: 0, gid: 0 });
  }

  text(file: string): string | null {
    const node = this.nodes.get(file);
    if (node?.kind === 'symlink') return this.text(path.resolve(path.dirname(file), node.target));
    if (node === undefined) return this.textBelowLink(file);
    return node.kind === 'file' ? node.content.toString('utf8') : null;
  }

  /** Where a folder on the way is a symlink. */
  private textBelowLink(file: string): string | null {
    for (let folder = path.dirname(file); folder !== '/'; folder = path.dirname(folder)) {
      const node = this.nodes.get(folder);
      if (node?.kind !== 'symlink') continue;
      const target = path.resolve(path.dirname(folder), node.target);
      return this.text(path.join(target, path.relative(folder, file)));
    }
    return null;
  }

  /** Everything that a person could see, for comparing servers. */
  picture(): unknown {
    const files = [...this.nodes]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([file, node]) => [
        file,
        node.kind === 'file' ? { ...node, content: node.content.toString() } : node,
      ]);
    return { files, packages: [...this.apt.installed].sort(), units: this.systemd.picture() };
  }

  private makeTree(directory: string): void {
    if (directory !== '/' && !this.nodes.has(directory)) {
      this.makeTree(path.dirname(directory));
      this.nodes.set(directory, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
    }
  }

  private async mutate<T>(effect: () => T): Promise<T> {
    await Promise.resolve();
    this.mutations += 1;
    const result = effect();
    if (this.killAt === this.mutations) throw new KilledError();
    return result;
  }

  async readFile(file: string): Promise<Buffer | null> {
    const text = this.text(file);
    return Promise.resolve(text === null ? null : Buffer.from(text));
  }

  async stat(file: string): Promise<FileInfo | null> {
    const node = this.nodes.get(file);
    if (node === undefined) return Promise.resolve(null);
    if (node.kind === 'symlink') return Promise.resolve({ kind: 'symlink', mode: 0o777, uid: 0, gid: 0 });
    return Promise.resolve({ kind: node.kind, mode: node.mode, uid: node.uid, gid: node.gid });
  }

  writeFile(
    file: string,
    content: Buffer,
    mode: number,
    owner: FileOwner = { uid: 0, gid: 0 },
  ): Promise<void> {
    return this.mutate(() => {
      if (!this.nodes.has(path.dirname(file))) throw new Error(`ENOENT: ${path.dirname(file)}`);
      this.nodes.set(file, { kind: 'file', content, mode, ...owner });
    });
  }

  makeDirectory(directory: string): Promise<void> {
    return this.mutate(() => this.makeTree(directory));
  }

  setAttributes(file: string, mode: number, owner: FileOwner): Promise<void> {
    return this.mutate(() => {
      const node = this.nodes.get(file);
      if (node === undefined || node.kind === 'symlink') throw new Error(`ENOENT: ${file}`);
      Object.assign(node, { mode, ...owner });
    });
  }

  makeSymlink(file: string, target: string): Promise<void> {
    return this.mutate(() => {
      this.nodes.set(file, { kind: 'symlink', target });
    });
  }

  readSymlink(file: string): Promise<string> {
    const node = this.nodes.get(file);
    if (node?.kind !== 'symlink') return Promise.reject(new Error(`EINVAL: ${file}`));
    return Promise.resolve(node.target);
  }

  rename(from: string, to: string): Promise<void> {
    return this.mutate(() => {
      const node = this.nodes.get(from);
      if (node === undefined) throw new Error(`ENOENT: ${from}`);
      this.nodes.delete(from);
      this.nodes.set(to, node);
    });
  }

  removeFile(file: string): Promise<void> {
    return this.mutate(() => {
      this.nodes.delete(file);
    });
  }

  removeEmptyDirectory(directory: string): Promise<boolean> {
    return this.mutate(() => {
      if ([...this.nodes.keys()].some((name) => name.startsWith(`${directory}/`))) return false;
      this.nodes.delete(directory);
      return true;
    });
  }

  removeTree(directory: string): Promise<void> {
    return this.mutate(() => {
      for (const name of [...this.nodes.keys()]) {
        if (name === directory || name.startsWith(`${directory}/`)) this.nodes.delete(name);
      }
    });
  }

  listDirectory(directory: string): Promise<string[]> {
    return Promise.resolve(
      [...this.nodes.keys()]
        .filter((name) => path.dirname(name) === directory)
        .map((name) => path.basename(name)),
    );
  }

  sha256(file: string): Promise<string | null> {
    const text = this.text(file);
    return Promise.resolve(text === null ? null : createHash('sha256').update(text).digest('hex'));
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(this.free);
  }

  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    this.commands.push({ command, args, options });
    const handled = this.handlers.get(command)?.(args, options);
    if (handled !== undefined) return handled;
    const builtIn: Record<string, (args: readonly string[]) => RunResult | undefined> = {
      systemctl: (words) => this.systemd.query(words),
      'apt-get': (words) => this.apt.query(words),
      'dpkg-query': (words) => this.apt.dpkgQuery(words),
      dpkg: () => ok(),
      journalctl: () => ok('the last line\n'),
    };
    const answered = builtIn[command]?.(args);
    if (answered !== undefined) return answered;
    return this.mutate(() => {
      switch (command) {
        case 'systemctl':
          return this.systemd.change(args);
        case 'apt-get':
          return this.apt.change(args);
        case 'useradd':
        case 'userdel':
          return this.changeUsers(command, args[args.length - 1] ?? '');
        default:
          return failed(`${command}: not found`, 127);
      }
    });
  }

  private changeUsers(command: string, name: string): RunResult {
    const passwd = this.text('/etc/passwd') ?? '';
    const others = passwd.split('\n').filter((line) => line !== '' && !line.startsWith(`${name}:`));
    const ids = others.map((line) => Number(line.split(':')[2]));
    const id = Math.max(899, ...ids.filter((each) => each < 1000)) + 1;
    if (command === 'useradd') others.push(`${name}:x:${id}:${id}::/nonexistent:/usr/sbin/nologin`);
    this.put('/etc/passwd', `${others.join('\n')}\n`);
    return ok();
  }

  listeners(): Promise<Listener[]> {
    return Promise.resolve(this.listening);
  }

  localAddresses(): Promise<string[]> {
    return Promise.resolve(this.addresses);
  }

  /** What is said on a socket, and what comes back: as of a HAProxy that takes everything, unless a test says otherwise. */
  readonly socketLines: string[] = [];
  socketAnswer: (line: string) => string = (line) =>
    line.startsWith('prepare ') ? 'New version created: 1\n\n' : '\n';

  askSocket(_path: string, line: string): Promise<string> {
    this.socketLines.push(line);
    return Promise.resolve(this.socketAnswer(line));
  }

  http(url: string, request: HttpRequest): Promise<HttpAnswer> {
    return Promise.resolve(this.httpAnswer(url, request));
  }

  download(_url: string, file: string, mode: number): Promise<void> {
    return this.mutate(() => {
      this.put(file, 'downloaded', mode);
    });
  }

  queryDns(): Promise<{ rcode: string; answers: number }> {
    return Promise.resolve({ rcode: '0', answers: 1 });
  }

  nowSeconds(): number {
    return this.clock;
  }

  sleep(seconds: number): Promise<void> {
    this.clock += seconds;
    return Promise.resolve();
  }

  environment(name: string): string | undefined {
    return this.variables.get(name);
  }
}

import type { SectionName } from '../../infra/contract/site-spec';
import { CommandFailedError, CredentialMissingError, HostUnsuitableError } from './errors';
import type { Journal } from './journal';
import { CONFIG_DIRECTORY, credentialPath } from './paths';
import type { FileOwner, HostPort, RunOptions, RunResult } from './port';

const ROOT: FileOwner = { uid: 0, gid: 0 };

export interface FileOptions {
  readonly mode?: number;
  readonly owner?: FileOwner;
  /** Called with the path of a candidate holding the new content, before it takes effect; throws to refuse it. */
  readonly check?: (candidate: string) => Promise<void>;
}

/** Collects what changed; lines are printed as they come and never hold a secret. */
export interface ChangeLog {
  change(what: string): void;
}

/** Makes one section's things be as wanted, journalling each before it exists. Every method is idempotent. */
export class Converger {
  constructor(
    readonly host: HostPort,
    readonly journal: Journal,
    readonly section: SectionName,
    private readonly log: ChangeLog,
  ) {}

  changed(what: string): void {
    this.log.change(`${this.section}: ${what}`);
  }

  /** Runs and demands success. */
  async command(
    command: string,
    args: readonly string[],
    options: RunOptions & { readonly what?: string } = {},
  ): Promise<RunResult> {
    const result = await this.host.run(command, args, options);
    if (result.code !== 0) throw new CommandFailedError(options.what ?? command, result);
    return result;
  }

  /** True when the content or its attributes had to change. */
  async file(path: string, content: string | Buffer, options: FileOptions = {}): Promise<boolean> {
    const wanted = Buffer.isBuffer(content) ? content : Buffer.from(content);
    const mode = options.mode ?? 0o644;
    const owner = options.owner ?? ROOT;
    const info = await this.host.stat(path);
    const current = info === null ? null : await this.host.readFile(path);
    const sameContent = current !== null && current.equals(wanted);
    const sameAttributes =
      info !== null && info.mode === mode && info.uid === owner.uid && info.gid === owner.gid;
    if (sameContent && sameAttributes && this.journal.find({ kind: 'file', path }) !== undefined) {
      await this.journal.record(this.section, { kind: 'file', path });
      return false;
    }
    if (!sameContent && options.check !== undefined) {
      const candidate = `${path}.next`;
      await this.journal.record(this.section, { kind: 'file', path: candidate });
      await this.host.writeFile(candidate, wanted, mode, owner);
      try {
        await options.check(candidate);
      } finally {
        await this.host.removeFile(candidate);
      }
    }
    await this.journal.record(this.section, {
      kind: 'file',
      path,
      ...(current !== null && info !== null
        ? {
            previous: {
              contentBase64: current.toString('base64'),
              mode: info.mode,
              uid: info.uid,
              gid: info.gid,
            },
          }
        : {}),
    });
    if (sameContent && sameAttributes) return false;
    await this.host.writeFile(path, wanted, mode, owner);
    this.changed(`wrote ${path}`);
    return true;
  }

  async absent(path: string): Promise<void> {
    if ((await this.host.stat(path)) === null) return;
    const entry = this.journal.find({ kind: 'file', path });
    if (entry === undefined) return;
    await this.host.removeFile(path);
    this.changed(`removed ${path}`);
  }

  async directory(path: string, mode = 0o755, owner: FileOwner = ROOT): Promise<void> {
    await this.ensureDirectory(path, 'directory', mode, owner);
  }

  /** A directory of data: removed with its content by `remove`, if it was not there before us. */
  async tree(path: string, mode: number, owner: FileOwner): Promise<void> {
    await this.ensureDirectory(path, 'tree', mode, owner);
  }

  /** The configuration directory and, where named, one below it. */
  async configDirectory(name?: string): Promise<void> {
    await this.directory(CONFIG_DIRECTORY);
    if (name !== undefined) await this.directory(`${CONFIG_DIRECTORY}/${name}`);
  }

  private async ensureDirectory(
    path: string,
    kind: 'directory' | 'tree',
    mode: number,
    owner: FileOwner,
  ): Promise<void> {
    const info = await this.host.stat(path);
    if (info !== null && info.kind !== 'directory') {
      throw new HostUnsuitableError(`${path} should be a directory and is a ${info.kind}: move it away`);
    }
    if (info === null) {
      await this.journal.record(this.section, { kind, path });
      await this.host.makeDirectory(path);
      this.changed(`created ${path}`);
    } else if (this.journal.find({ kind, path }) !== undefined) {
      await this.journal.record(this.section, { kind, path });
    }
    if (kind === 'tree' && info !== null && (info.uid !== owner.uid || info.gid !== owner.gid)) {
      await this.takeOver(path, owner);
    }
    if (info === null || info.mode !== mode || info.uid !== owner.uid || info.gid !== owner.gid) {
      await this.host.setAttributes(path, mode, owner);
      if (info !== null) this.changed(`set owner and mode of ${path}`);
    }
  }

  /** Data that came with its disk from another server, where the user had another number. The tree's own folder goes last. */
  private async takeOver(path: string, { uid, gid }: FileOwner): Promise<void> {
    await this.command(
      'find',
      [path, '-xdev', '-mindepth', '1', '-exec', 'chown', '--no-dereference', `${uid}:${gid}`, '{}', '+'],
      { timeoutSeconds: 3600, what: `giving ${path} to its user` },
    );
  }

  async symlink(path: string, target: string): Promise<void> {
    const info = await this.host.stat(path);
    if (info?.kind === 'symlink' && (await this.host.readSymlink(path)) === target) {
      if (this.journal.find({ kind: 'symlink', path }) !== undefined) {
        await this.journal.record(this.section, { kind: 'symlink', path });
      }
      return;
    }
    if (info !== null) throw new HostUnsuitableError(`${path} exists already: move it away and apply again`);
    await this.journal.record(this.section, { kind: 'symlink', path });
    await this.host.makeSymlink(path, target);
    this.changed(`linked ${path} to ${target}`);
  }

  /** A static system user with a group of its own name. */
  async user(name: string): Promise<FileOwner> {
    const found = await this.findUser(name);
    if (found !== null) {
      if (this.journal.find({ kind: 'user', name }) !== undefined) {
        await this.journal.record(this.section, { kind: 'user', name });
      }
      return found;
    }
    await this.journal.record(this.section, { kind: 'user', name });
    await this.command(
      'useradd',
      [
        '--system',
        '--user-group',
        '--no-create-home',
        '--home-dir',
        '/nonexistent',
        '--shell',
        '/usr/sbin/nologin',
        name,
      ],
      { what: `creating the system user ${name}` },
    );
    this.changed(`created the system user ${name}`);
    const created = await this.findUser(name);
    if (created === null)
      throw new HostUnsuitableError(`the user ${name} is not in /etc/passwd after useradd`);
    return created;
  }

  async findUser(name: string): Promise<FileOwner | null> {
    const passwd = (await this.host.readFile('/etc/passwd'))?.toString('utf8') ?? '';
    const fields = passwd
      .split('\n')
      .map((line) => line.split(':'))
      .find((line) => line[0] === name);
    return fields === undefined ? null : { uid: Number(fields[2]), gid: Number(fields[3]) };
  }

  /** Content of a credential that was applied before. */
  async credential(name: string): Promise<string> {
    const content = await this.host.readFile(credentialPath(name));
    if (content === null) throw new CredentialMissingError(name, this.section);
    return content.toString('utf8');
  }
}

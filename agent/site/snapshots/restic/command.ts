/** Runs the backup engine against one site's repository. Keys reach it by a file and its own environment only. */
import { spawn, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { AgentError } from '../../../shared/errors';
import { messageOf } from '../../errors';

export interface ResticOptions {
  readonly program: string;
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Absent: the instance's role opens the store. */
  readonly account?: { readonly accessKey: string; readonly secretKey: string };
  /** File with the authority that the store's certificate chains to. */
  readonly caFile?: string;
  /** File with the key of the repositories, readable to this process. */
  readonly keyFile: string;
  /** What restic keeps of repositories' indexes. */
  readonly cacheFolder: string;
  /** Bound on what it sends and, separately, on what it receives; 0 is none. */
  readonly maxMbitPerSecond: number;
}

export class RepositoryError extends AgentError {
  readonly code: string = 'REPOSITORY_FAILED';
}

export class RepositoryMissingError extends RepositoryError {
  override readonly code = 'REPOSITORY_MISSING';
}

export class RepositoryLockedError extends RepositoryError {
  override readonly code = 'REPOSITORY_LOCKED';
}

export class RepositoryKeyError extends RepositoryError {
  override readonly code = 'REPOSITORY_KEY';
}

/** Something in the repository is gone, cut short or not what was written. */
export class RepositoryDamagedError extends RepositoryError {
  override readonly code = 'REPOSITORY_DAMAGED';
}

/** How restic says so, of whatever kind of object. */
const DAMAGE =
  /verification failed|invalid data returned|missing (in|from)|does not match|does not exist|no such file|too short|unexpected EOF|range|Unknown blob|not found in repository/;

/** One line of restic's `--json` output. */
export type Message = Readonly<Record<string, unknown>>;

export interface RunOptions {
  readonly cwd?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: (message: Message) => void;
}

/** Enough for the reason, however many files suffer from it. */
const SAID_BYTES = 16_000;

/** With restic's five it holds half as much again in memory while it sends, and is no faster at 200 Mbit/s. */
const CONNECTIONS = ['-o', 's3.connections=2'];

/** Together with the agent's own it stays below 256 MiB; half of the processors are left to those who serve. */
const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  GOMEMLIMIT: '64MiB',
  GOGC: '20',
  GOMAXPROCS: String(Math.max(1, availableParallelism() >> 1)),
  RESTIC_PROGRESS_FPS: '1',
};

export class Restic {
  constructor(private readonly options: ResticOptions) {}

  /** @returns what it said, but for its reports of progress */
  async run(site: string, args: readonly string[], options: RunOptions = {}): Promise<Message[]> {
    options.signal?.throwIfAborted();
    const { account } = this.options;
    const child = spawn(this.options.program, [...this.globalArguments(site), ...args], {
      env: {
        ...ENVIRONMENT,
        ...(account === undefined
          ? {}
          : { AWS_ACCESS_KEY_ID: account.accessKey, AWS_SECRET_ACCESS_KEY: account.secretKey }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' as const }),
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-SAID_BYTES)));
    const messages: Message[] = [];
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      for (const message of parse(line)) {
        if (message['message_type'] === 'status') options.onMessage?.(message);
        else messages.push(message);
      }
    });
    const code = await this.endOf(child);
    options.signal?.throwIfAborted();
    if (code !== 0) throw failure(site, args[0] ?? '', code, said);
    return messages;
  }

  /** An abort is an error of the child's as well; its end is what counts, so that nothing runs on behind a refusal. */
  private endOf(child: ChildProcess): Promise<number | null> {
    return new Promise((resolve, reject) => {
      child.once('close', resolve);
      child.once('error', (cause) => {
        if (child.pid !== undefined) return;
        const message = `${this.options.program} could not be started: ${messageOf(cause)}. Apply the stack again.`;
        reject(new RepositoryError(message, { cause }));
      });
    });
  }

  private globalArguments(site: string): string[] {
    const { endpoint, bucket, region, caFile, keyFile, cacheFolder, maxMbitPerSecond } = this.options;
    const kibPerSecond = Math.round((maxMbitPerSecond * 1_000_000) / 8 / 1024);
    return [
      ...['--repo', `s3:${endpoint.replace(/\/$/, '')}/${bucket}/${site}/restic`],
      ...['--password-file', keyFile, '--cache-dir', cacheFolder, '--json', '--retry-lock', '1m'],
      ...['-o', 's3.bucket-lookup=path', '-o', `s3.region=${region}`, ...CONNECTIONS],
      ...(caFile === undefined ? [] : ['--cacert', caFile]),
      ...(kibPerSecond === 0
        ? []
        : ['--limit-upload', String(kibPerSecond), '--limit-download', String(kibPerSecond)]),
    ];
  }
}

function parse(line: string): Message[] {
  if (!line.startsWith('{') && !line.startsWith('[')) return [];
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // A line cut off by restic's end; whether it did its work is told by its exit code and what it must have said.
    return [];
  }
  return (Array.isArray(value) ? value : [value]) as Message[];
}

/** The exit codes are part of restic's interface. */
function failure(site: string, command: string, code: number | null, said: string): RepositoryError {
  const reason = explain(said) || `exit code ${code}`;
  const what = `restic ${command} on ${site}'s repository`;
  switch (code) {
    case 10:
      return new RepositoryMissingError(
        `${what}: there is none yet. ${site} makes it with its first publish.`,
      );
    case 11:
      return new RepositoryLockedError(
        `${what}: it is locked by another process: ${reason}. Try again later.`,
      );
    case 12:
      return new RepositoryKeyError(
        `${what}: its key is not the credential repository-key. Restore the former key, or see docs/replication.md to change it.`,
      );
    case null:
    default:
      if (DAMAGE.test(said)) {
        return new RepositoryDamagedError(
          `${what}: what is stored there is damaged: ${reason}. Publish again from ${site}, twice; if that does not mend it, ` +
            `remove ${site}/restic/ from the bucket and publish again.`,
        );
      }
      return new RepositoryError(
        `${what} failed: ${reason}. Is the witness up and this site's account valid?`,
      );
  }
}

/** Errors come as text, or as JSON with the text inside; the last one only counts those of a restore. */
function explain(said: string): string {
  const lines = said.trim().split('\n');
  for (const { error } of lines.flatMap(parse)) {
    if (typeof error === 'object' && error !== null && 'message' in error)
      return firstLine(String(error.message));
  }
  const last = lines.at(-1) ?? '';
  const [message] = parse(last);
  return firstLine(typeof message?.['message'] === 'string' ? message['message'] : last);
}

/** What follows is where in its source. */
function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}

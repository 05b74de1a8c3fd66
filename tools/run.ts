import { spawn } from 'node:child_process';

/** A program ended with another status than 0, or could not be started. */
export class CommandFailedError extends Error {
  readonly code = 'COMMAND_FAILED';
  constructor(
    readonly command: string,
    readonly status: number | null,
    readonly output: string,
  ) {
    super(
      `\`${command}\` ${status === null ? 'was ended by a signal or did not start' : `ended with status ${status}`}` +
        (output.trim() === '' ? '' : `:\n${output.trim().split('\n').slice(-20).join('\n')}`),
    );
    this.name = 'CommandFailedError';
  }
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Show the program's output as it comes, instead of only keeping it. */
  readonly inherit?: boolean;
  readonly timeoutMs?: number;
}

/** Runs a program without a shell and answers its stdout; throws {@link CommandFailedError} otherwise. */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', options.inherit ? 'inherit' : 'pipe', options.inherit ? 'inherit' : 'pipe'],
      ...(options.timeoutMs === undefined
        ? {}
        : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
    });
    let stdout = '';
    let all = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      all += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => (all += chunk.toString()));
    const command = [file, ...args].join(' ');
    child.on('error', (error) => reject(new CommandFailedError(command, null, error.message)));
    child.on('close', (status) =>
      status === 0 ? resolve(stdout) : reject(new CommandFailedError(command, status, all)),
    );
    child.stdin?.on('error', () => undefined); // the program may end without reading; its status tells
    child.stdin?.end(options.input ?? '');
  });
}

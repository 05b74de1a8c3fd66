/** What a command prints: kept for its outputs, told line by line to the log while it comes, and said in its error. */
import type { OperationLog } from '../protocol/provider';
import type { CommandInputs } from './inputs';

export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

/** Environment variables in which the next run finds what the previous one printed. */
export function previousOutput(inputs: CommandInputs, previous: Printed): Readonly<Record<string, string>> {
  if (inputs.addPreviousOutputInEnv === false) return {};
  return {
    ...(previous.stdout === '' ? {} : { PULUMI_COMMAND_STDOUT: previous.stdout }),
    ...(previous.stderr === '' ? {} : { PULUMI_COMMAND_STDERR: previous.stderr }),
  };
}

export class OutputRecorder {
  private readonly stdoutChunks: Buffer[] = [];
  private readonly stderrChunks: Buffer[] = [];
  private readonly chunks: Buffer[] = [];
  private readonly lines: LineLog;

  constructor(
    private readonly logging: CommandInputs['logging'],
    log: OperationLog,
  ) {
    this.lines = new LineLog(log);
  }

  stdout(chunk: Buffer): void {
    this.stdoutChunks.push(chunk);
    this.chunks.push(chunk);
    if (this.logging === undefined || this.logging === 'stdout' || this.logging === 'stdoutAndStderr') {
      this.lines.write(chunk);
    }
  }

  stderr(chunk: Buffer): void {
    this.stderrChunks.push(chunk);
    this.chunks.push(chunk);
    if (this.logging === undefined || this.logging === 'stderr' || this.logging === 'stdoutAndStderr') {
      this.lines.write(chunk);
    }
  }

  /** Ends the log and answers both streams without their last newline. */
  end(): Printed {
    this.lines.end();
    return { stdout: text(this.stdoutChunks), stderr: text(this.stderrChunks) };
  }

  /** Everything printed, in the order in which it came. */
  all(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }
}

/** A command ended with another status than 0, or could not run to its end. */
export class CommandEndedError extends Error {
  readonly code = 'COMMAND_ENDED';
  constructor(reason: string, command: string, printed: string) {
    super(`${reason}: running ${quote(command)}:\n${printed}`);
    this.name = 'CommandEndedError';
  }
}

class LineLog {
  private rest = Buffer.alloc(0);
  constructor(private readonly log: OperationLog) {}

  write(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (let end = this.rest.indexOf(10); end >= 0; end = this.rest.indexOf(10)) {
      this.log.status(this.rest.subarray(0, end).toString('utf8').replace(/\r$/, ''));
      this.rest = this.rest.subarray(end + 1);
    }
  }

  end(): void {
    if (this.rest.length > 0) this.log.status(this.rest.toString('utf8'));
    this.rest = Buffer.alloc(0);
  }
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8').replace(/\n$/, '');
}

/** The command in double quotes, on one line. */
function quote(command: string): string {
  return JSON.stringify(command).replace(/\\u00([0-9a-f]{2})/g, '\\x$1');
}

/** Faults come from a command of the operator's choosing; the drill only knows its words and how to undo them. */
import { spawn } from 'node:child_process';
import { CommandFailedError, UsageError } from '../cli/errors';
import type { ScenarioFault } from './scenarios';
import { splitWords } from '../cli/words';

export interface FaultPort {
  /** Runs the fault command with these words; throws when it fails, or takes much longer than it is meant to. */
  run(words: readonly string[], lastsSeconds?: number): Promise<void>;
}

export class FaultCommand implements FaultPort {
  private readonly program: string;
  private readonly leading: readonly string[];

  constructor(
    command: string,
    private readonly timeoutMs = 180_000,
  ) {
    const [program, ...leading] = splitWords(command);
    if (program === undefined)
      throw new UsageError('--fault-command is empty; expected a command such as "lab/lab fault"');
    this.program = program;
    this.leading = leading;
  }

  async run(words: readonly string[], lastsSeconds = 0): Promise<void> {
    const args = [...this.leading, ...words];
    const shown = [this.program, ...args].join(' ');
    await new Promise<void>((resolve, reject) => {
      // In a group of its own, so that Ctrl-C at the terminal does not end a repair half-way.
      const child = spawn(this.program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
      let output = '';
      const keep = (chunk: Buffer): void => {
        output = (output + chunk.toString()).slice(-4_000);
      };
      child.stdout.on('data', keep);
      child.stderr.on('data', keep);
      const timer = setTimeout(() => child.kill('SIGKILL'), this.timeoutMs + lastsSeconds * 1000);
      child.on('error', (error) => {
        clearTimeout(timer);
        reject(new CommandFailedError(`\`${shown}\` did not start: ${error.message}`));
      });
      // 'exit', not 'close': what the command leaves running may keep its output open.
      child.on('exit', (status, signal) => {
        clearTimeout(timer);
        child.stdout.destroy();
        child.stderr.destroy();
        if (status === 0) resolve();
        else {
          reject(
            new CommandFailedError(
              `\`${shown}\` ended with ${status ?? signal ?? 'an unknown status'}: ${output.trim().slice(-800)}`,
            ),
          );
        }
      });
    });
  }
}

/** What has been done to the world and not yet undone; the last fault is undone first. */
export class Repairs {
  private readonly pending: (readonly string[])[] = [];
  /** The command under way: a repair that overtook its fault would be undone by it. */
  private running: Promise<unknown> = Promise.resolve();

  constructor(private readonly fault: FaultPort) {}

  /** Notes the repair before the fault is tried: a fault that failed half-way is repaired as well. */
  async inject({ words, repair, lastsSeconds }: ScenarioFault): Promise<void> {
    this.pending.push(repair);
    await this.inTurn(() => this.fault.run(words, lastsSeconds));
  }

  get outstanding(): readonly string[] {
    return this.pending.map((words) => words.join(' '));
  }

  /** Undoes everything; answers what could not be undone. */
  async undo(): Promise<string[]> {
    await this.running; // also of an undoing that was given up on
    const failed: string[] = [];
    while (this.pending.length > 0) {
      const words = this.pending.pop() ?? [];
      try {
        await this.inTurn(() => this.fault.run(words));
      } catch (error) {
        failed.push(`${words.join(' ')}: ${(error as Error).message}`);
      }
    }
    return failed;
  }

  private inTurn(command: () => Promise<void>): Promise<void> {
    const work = this.running.then(command);
    this.running = work.catch(() => undefined); // its failure is told to whoever asked for it
    return work;
  }
}

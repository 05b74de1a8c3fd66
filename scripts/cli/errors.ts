/**
 * What the command answers when it cannot do as asked. Each error says what was expected, what came and what to do
 * next, and carries the exit code that scripts may rely on.
 */
import type { Reason } from '../../infra/contract/agent-api';

export const EXIT = {
  done: 0,
  /** A bug or something that nobody thought of. */
  unexpected: 1,
  /** Wrong arguments, or no usable context file. */
  usage: 2,
  /** An agent, or the drill's own check beforehand, said no and gave reasons; nothing was changed. */
  refused: 3,
  /** No answer, or none in time: the outcome may be unknown, so look at `failover status`. */
  unreachable: 4,
  /** The drill ran to its end and an objective was missed. */
  objectiveMissed: 5,
  /** The drill was stopped by one of its stop conditions, and the world was put back. */
  aborted: 6,
  /** Ended by SIGINT or SIGTERM, after the world was put back. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Base of everything this command reports without a stack trace. */
export abstract class OperatorError extends Error {
  abstract readonly code: string;
  abstract readonly exitCode: ExitCode;
  /** What the person should do now, one step a line. */
  readonly next: readonly string[];
  readonly reasons: readonly Reason[];

  constructor(message: string, details: { next?: readonly string[]; reasons?: readonly Reason[] } = {}) {
    super(message);
    this.name = new.target.name;
    this.next = details.next ?? [];
    this.reasons = details.reasons ?? [];
  }
}

export class UsageError extends OperatorError {
  readonly code = 'USAGE';
  readonly exitCode = EXIT.usage;
}

export class ContextUnusableError extends OperatorError {
  readonly code = 'CONTEXT_UNUSABLE';
  readonly exitCode = EXIT.usage;
}

export class OutputsInvalidError extends OperatorError {
  readonly code = 'OUTPUTS_INVALID';
  readonly exitCode = EXIT.usage;
}

/** The agent refused: nothing was changed. */
export class RefusedError extends OperatorError {
  readonly code = 'REFUSED';
  readonly exitCode = EXIT.refused;
}

/** No connection, or the connection broke: a request that changes something may or may not have been carried out. */
export class UnreachableError extends OperatorError {
  readonly code = 'UNREACHABLE';
  readonly exitCode = EXIT.unreachable;
}

/** The site answered, but with an error that is not a refusal. */
export class SiteFailedError extends OperatorError {
  readonly code = 'SITE_FAILED';
  readonly exitCode = EXIT.unreachable;
}

export class TimedOutError extends OperatorError {
  readonly code = 'TIMED_OUT';
  readonly exitCode = EXIT.unreachable;
}

export class CommandFailedError extends OperatorError {
  readonly code = 'COMMAND_FAILED';
  readonly exitCode = EXIT.unexpected;
}

/** A drill's stop condition was met. */
export class DrillAbortedError extends OperatorError {
  readonly code = 'DRILL_ABORTED';
  readonly exitCode = EXIT.aborted;
}

export class InterruptedError extends OperatorError {
  readonly code = 'INTERRUPTED';
  readonly exitCode = EXIT.interrupted;
}

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

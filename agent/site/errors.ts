/** What is common to the errors of the site agent. */
import { AgentError } from '../shared/errors';

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return String(error);
}

/** The stable code of an AgentError or of a Node system error, else `INTERNAL`. */
export function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return 'INTERNAL';
}

export function isNoSuchFile(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

/** Raised for a request that the current state forbids; the answer is 409 with `skipped`. */
export class SkippedError extends AgentError {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

import { RunError } from '@pulumi/pulumi';

/**
 * An error for the person who runs pulumi: the engine prints its message without a stack trace. `code` is stable
 * and stands in front of the message.
 */
export abstract class FailoverError extends RunError {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
    this.name = new.target.name;
  }
}

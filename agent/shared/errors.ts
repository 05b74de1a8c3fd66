/** An error made for the person who reads it: `code` is stable, the message says what was expected, what came and what to do. */
export abstract class AgentError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** One line for a log or a terminal, with the causes that led to it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const head = error instanceof AgentError ? `${error.code}: ${error.message}` : error.message || error.name;
  return error.cause === undefined ? head : `${head} (${describeError(error.cause)})`;
}

/** True for errors of the operating system with this code, such as ENOENT. */
export function isSystemError(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

import { progress } from './cache';
import { DownloadFailedError } from './download';
import { CommandFailedError } from './run';

/** Something that the toolchain needs could be had in none of the ways that it knows. */
export class UnavailableError extends Error {
  readonly code = 'UNAVAILABLE';
  constructor(what: string, reasons: readonly string[], advice: string) {
    super(`${what} could not be had. ${reasons.join('. ')}. ${advice}`);
    this.name = 'UnavailableError';
  }
}

export interface Way {
  readonly name: string;
  readonly take: () => Promise<void>;
}

/**
 * Takes the first way that works. A way that is merely not open here (no download, no compiler) leads to the next;
 * anything else, such as a download with a wrong checksum, is an error at once.
 */
export async function firstThatWorks(what: string, ways: readonly Way[], advice: string): Promise<void> {
  const reasons: string[] = [];
  for (const { name, take } of ways) {
    try {
      await take();
      return;
    } catch (error) {
      if (!(error instanceof DownloadFailedError) && !(error instanceof CommandFailedError)) throw error;
      const reason = `${name}: ${error.message.trim()}`;
      progress(reason.split('\n')[0] as string);
      reasons.push(reason);
    }
  }
  throw new UnavailableError(what, reasons, advice);
}

/** A program's answer to a question such as its version; empty where it fails. */
export async function answerOf(ask: Promise<string>): Promise<string> {
  return ask.catch((error: unknown) => {
    if (error instanceof CommandFailedError) return '';
    throw error;
  });
}

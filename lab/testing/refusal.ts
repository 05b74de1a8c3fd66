import { CommandFailedError } from '../../tools/run';

/** What the engine said when it refused. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof CommandFailedError) return error.output;
    throw error;
  }
  throw new Error('it was not refused');
}

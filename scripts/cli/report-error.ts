import { EXIT, OperatorError } from './errors';

/** Says what went wrong and what to do next; never a stack trace for what was foreseen, never a key. */
export function report(error: unknown): number {
  if (!(error instanceof OperatorError)) {
    process.stderr.write(
      `failover: unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    return EXIT.unexpected;
  }
  const lines = [`failover: ${error.message}`];
  for (const reason of error.reasons) lines.push(`  - ${reason.message} (${reason.code})`);
  for (const step of error.next) lines.push(`  next: ${step}`);
  process.stderr.write(`${lines.join('\n')}\n`);
  return error.exitCode;
}

/** `failover`: what the operator types. `failover help` lists it; the exit codes are in docs/runbook.md. */
import { Command } from 'commander';
import { addContextCommands } from './commands-context';
import { addControlCommands } from './commands-control';
import { addDrillCommands } from './commands-drill';
import { EXIT, OperatorError } from './errors';

export function program(): Command {
  const root = new Command('failover')
    .description('Look at, switch and drill the failover of a service that runs on two sites.')
    .option(
      '--context <file>',
      'saved addresses and keys (FAILOVER_CONTEXT; default ~/.config/failover/context.json)',
    )
    .addHelpText(
      'after',
      `
Exit codes: 0 done · 1 unexpected · 2 usage or no context · 3 refused, nothing changed · 4 no answer in time ·
            5 drill missed an objective · 6 drill aborted, world put back · 130 interrupted, world put back`,
    )
    .showHelpAfterError()
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage);
    });
  addContextCommands(root);
  addControlCommands(root);
  addDrillCommands(root);
  return root;
}

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

if (require.main === module) {
  program()
    .parseAsync()
    .then(
      () => undefined,
      (error: unknown) => {
        process.exitCode = report(error);
      },
    );
}

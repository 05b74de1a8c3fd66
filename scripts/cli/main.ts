/** `failover`: what the operator types. `failover help` lists it; the exit codes are in docs/runbook.md. */
import { Command } from 'commander';
import { addContextCommands } from './commands-context';
import { addControlCommands } from './commands-control';
import { addDataCommands } from './commands-data';
import { addDrillCommands } from './commands-drill';
import { addMergeCommand } from './commands-merge';
import { addModelCommands } from './commands-model';
import { addSoakCommands } from './commands-soak';
import { EXIT } from './errors';
import { report } from './report-error';

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
  addDataCommands(root);
  addMergeCommand(root);
  addDrillCommands(root);
  addModelCommands(root);
  addSoakCommands(root);
  return root;
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

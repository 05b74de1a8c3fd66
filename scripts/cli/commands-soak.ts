import os from 'node:os';
import type { Command } from 'commander';
import { deployment } from './commands-control';
import { onSignals } from './commands-drill';
import { EXIT } from './errors';
import { number, whole } from './option-values';
import { systemClock } from '../drill/clock';
import { FaultCommand } from '../drill/fault';
import { TerminalProgress } from '../drill/progress';
import { renderSoak, writeSoak } from '../soak/report';
import { runSoak } from '../soak/soak';

interface SoakFlags {
  readonly faultCommand: string;
  readonly minutes: string;
  readonly seed?: string;
  readonly by?: string;
  readonly recoverTimeout: string;
  readonly output: string;
}

const LARGEST_SEED = 2 ** 31 - 1;

export function addSoakCommands(root: Command): void {
  root
    .command('soak')
    .description(
      'random faults, several at once, under clients; then everything they saw is held to the lease',
    )
    .requiredOption('--fault-command <command>', 'runs faults, e.g. "lab/lab fault"')
    .option('--minutes <n>', 'rounds are begun for so long', '5')
    .option('--seed <n>', 'draws the same faults again (default: a new one, told)')
    .option('--by <name>', 'who soaks; recorded in the lease history (default: your login)')
    .option('--recover-timeout <seconds>', 'for the steady state after everything is mended', '600')
    .option('--output <folder>', 'where the record and the summary go', 'drills')
    .action(soak);
}

async function soak(flags: SoakFlags, command: Command): Promise<void> {
  const seed = flags.seed ?? String(Math.floor(Math.random() * LARGEST_SEED));
  const options = {
    seed: whole('--seed', seed, 0, LARGEST_SEED),
    minutes: number('--minutes', flags.minutes),
    by: flags.by ?? os.userInfo().username,
    recoverSeconds: number('--recover-timeout', flags.recoverTimeout),
    ...{ points: 200, periodMs: 500, writePeriodMs: 250, timeoutMs: 2_000 },
  };
  const { context, sites, leases } = await deployment(command);
  const progress = new TerminalProgress(process.stderr);
  const { signal, release } = onSignals(progress);
  try {
    const fault = new FaultCommand(flags.faultCommand);
    const ports = { context, sites, leases, progress, signal, fault, clock: systemClock() };
    const result = await runSoak(ports, options);
    const files = await writeSoak(flags.output, result);
    process.stdout.write(`${renderSoak(result)}\n\n${files.json}\n${files.text}\n`);
    signal.throwIfAborted();
    if (result.passed) return;
    process.exitCode = result.verdict.violations.length > 0 ? EXIT.objectiveMissed : EXIT.aborted;
  } finally {
    release();
  }
}

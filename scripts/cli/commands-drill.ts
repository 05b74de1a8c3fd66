import { readFile } from 'node:fs/promises';
import os from 'node:os';
import type { Command } from 'commander';
import { deployment } from './commands-control';
import type { OperatorContext } from './context';
import { EXIT, InterruptedError, UsageError, describe } from './errors';
import { number, whole } from './option-values';
import { launchesOf, requireRuntimes, runtimesNamed, type Runtime } from '../drill/clients/runtimes/launch';
import { systemClock } from '../drill/clock';
import { FaultCommand } from '../drill/fault';
import { measure } from '../drill/measure/measures';
import type { DrillOptions, DrillPorts } from '../drill/ports';
import { TerminalProgress } from '../drill/progress';
import type { DrillRecord } from '../drill/record';
import { renderSeries } from '../drill/report/series';
import { renderResult } from '../drill/report/text';
import { writeReport } from '../drill/report/write';
import { runDrill } from '../drill/run';
import { SCENARIOS, scenarioNamed, type Scenario } from '../drill/scenarios';
import { passed, runSeries, type Drilled } from '../drill/series';
import { tellSites } from '../drill/tell';

/** In place of a scenario's name. */
const ALL = 'all';

interface DrillFlags {
  readonly faultCommand?: string;
  readonly failback: boolean;
  readonly merge: boolean;
  readonly by?: string;
  readonly points: string;
  readonly baseline: string;
  readonly sustain: string;
  readonly maxOutage?: string;
  readonly syncTimeout: string;
  readonly failbackTimeout: string;
  readonly decideAfter?: string;
  readonly rate: string;
  readonly requestTimeout: string;
  readonly runtimes?: string;
  readonly python: string;
  readonly output: string;
}

export function addDrillCommands(root: Command): void {
  root
    .command('drill <scenarios...>')
    .description(
      'fail over under clients, measure what they saw, fail back; several, or "all", one after another; scenarios:\n' +
        SCENARIOS.map((each) => `${each.name}: ${each.about}`).join('\n'),
    )
    .option('--fault-command <command>', 'runs faults, e.g. "lab/lab fault"; without it only planned-switch')
    .option('--no-failback', 'leave the service at the other site')
    .option('--no-merge', 'leave the writes that only the lost holder had set aside')
    .option('--by <name>', 'who drills; recorded in the lease history (default: your login)')
    .option('--points <n>', 'points to seed', '200')
    .option('--baseline <seconds>', 'quiet time before the fault', '5')
    .option('--sustain <seconds>', 'how long a client must be well to count as recovered', '5')
    .option(
      '--max-outage <seconds>',
      'abort when a client is without service this long (default: RTO objective + 60)',
    )
    .option('--sync-timeout <seconds>', 'for the seeds to reach the standby', '600')
    .option('--failback-timeout <seconds>', 'for the old site to be fit again', '1800')
    .option('--decide-after <seconds>', 'in mode manual, play the person on call (default: wait for one)')
    .option('--rate <n>', 'requests a second of each reading client', '2')
    .option('--request-timeout <seconds>', 'deadline of each request of a client', '2')
    .option('--runtimes <list>', 'clients as users have them, some of node,python,java (default: none)')
    .option('--python <file>', 'interpreter with requests and httpx, for --runtimes python', 'python3')
    .option('--output <folder>', 'where the report goes', 'drills')
    .action(drill);
  root
    .command('report <file>')
    .description("render a drill's JSON again")
    .option('--output <folder>', 'where the page goes (default: beside the file)')
    .action(report);
}

async function drill(names: readonly string[], flags: DrillFlags, command: Command): Promise<void> {
  const { context, sites, leases } = await deployment(command);
  // What needs more servers than there are is left out of "all", and refused when asked for.
  const scenarios = names.includes(ALL) ? drillable(context) : names.map(scenarioNamed);
  const runtimes = flags.runtimes === undefined ? [] : runtimesNamed(flags.runtimes);
  await requireRuntimes(runtimes, flags.python);
  const progress = new TerminalProgress(process.stderr);
  const { signal, release } = onSignals(progress);
  const ports: DrillPorts = {
    ...{ context, sites, leases, progress, signal },
    fault: flags.faultCommand === undefined ? null : new FaultCommand(flags.faultCommand),
    clock: systemClock(),
  };
  const options = drillOptions(flags, context, runtimes);
  const one = (scenario: Scenario): Promise<Drilled> =>
    drillOne(ports, { ...options, scenario }, flags.output);
  try {
    const [first, ...others] = scenarios;
    if (first === undefined) return;
    if (others.length === 0) {
      const { measures, error } = await one(first);
      if (error !== null) throw error instanceof Error ? error : new Error(describe(error));
      if (!measures.passed) process.exitCode = EXIT.objectiveMissed;
      return;
    }
    const entries = await runSeries(scenarios, ports, one);
    process.stdout.write(`\n${renderSeries(entries)}\n`);
    signal.throwIfAborted();
    if (!entries.every(passed)) process.exitCode = EXIT.objectiveMissed;
  } finally {
    release();
  }
}

function drillable({ sites }: OperatorContext): readonly Scenario[] {
  const most = Math.max(...sites.map((site) => site.servers.length));
  return SCENARIOS.filter(({ servers = 1 }) => servers <= most);
}

function drillOptions(
  flags: DrillFlags,
  context: OperatorContext,
  runtimes: readonly Runtime[],
): Omit<DrillOptions, 'scenario'> {
  return {
    failback: flags.failback,
    merge: flags.merge,
    by: flags.by ?? os.userInfo().username,
    points: whole('--points', flags.points, 1, 900_000),
    baselineSeconds: number('--baseline', flags.baseline),
    sustainSeconds: number('--sustain', flags.sustain),
    maxOutageSeconds:
      flags.maxOutage === undefined
        ? context.budget.rto.objectiveSeconds + 60
        : number('--max-outage', flags.maxOutage),
    syncSeconds: number('--sync-timeout', flags.syncTimeout),
    failbackWaitSeconds: number('--failback-timeout', flags.failbackTimeout),
    decideAfterSeconds: flags.decideAfter === undefined ? null : number('--decide-after', flags.decideAfter),
    periodMs: 1000 / number('--rate', flags.rate),
    writePeriodMs: 1000,
    timeoutMs: number('--request-timeout', flags.requestTimeout) * 1000,
    runtimes: launchesOf(runtimes, flags.python),
  };
}

/** One drill, with its report written and shown. */
async function drillOne(ports: DrillPorts, options: DrillOptions, folder: string): Promise<Drilled> {
  const { record, error } = await runDrill(ports, options);
  const measures = measure(record);
  const files = await writeReport(folder, record, measures);
  process.stdout.write(`${renderResult(record, measures)}\n\n${files.json}\n${files.html}\n`);
  await tellSites(ports, record, measures.passed && error === null);
  return { record, measures, error };
}

async function report(file: string, flags: { output?: string }): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  });
  const stored = JSON.parse(text) as { record?: DrillRecord };
  if (stored.record?.version !== 1) {
    throw new UsageError(`${file} is not a drill's record (expected an object with record.version 1)`);
  }
  const measures = measure(stored.record);
  const folder = flags.output ?? file.replace(/[^/]*$/, '');
  const files = await writeReport(folder === '' ? '.' : folder, stored.record, measures);
  process.stdout.write(`${renderResult(stored.record, measures)}\n\n${files.html}\n`);
}

/** The first signal puts the world back; a second one gives up on that. */
export function onSignals(progress: TerminalProgress): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const handle = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      process.stderr.write('\nfailover: given up; faults may still be in place: look at `failover status`\n');
      process.exit(EXIT.interrupted);
    }
    progress.phase(`${name}: putting the world back; once more to give up`);
    controller.abort(new InterruptedError(`ended by ${name}`));
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}

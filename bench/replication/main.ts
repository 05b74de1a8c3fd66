/** `make bench-replication`: ours next to what else there is, on the same data and the same wire. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { build } from 'esbuild';
import { ensureDebianPackages } from '../../tools/artifacts/debian-packages';
import { ensureRestic } from '../../tools/artifacts/restic';
import { progress, REPOSITORY } from '../../tools/cache';
import { judge } from './judge';
import { METHODS, type MethodName } from './methods/method';
import { BenchNetwork } from './network';
import { renderReport } from './report';
import { runComparison, type Link } from './run';

const CAPPED: Link = { title: '200 Mbit/s each way', mbitPerSecond: 200 };
const UNCAPPED: Link = { title: 'unbounded', mbitPerSecond: null };
/** As of `failover drill`: measured to the end, and an objective missed. */
const OBJECTIVE_MISSED = 5;

interface Flags {
  readonly points: string;
  readonly methods: string;
  readonly links: string;
  readonly json?: string;
}

const program = new Command('bench-replication')
  .option('--points <n>', 'to replicate', '200000')
  .option('--methods <list>', 'which to compare', METHODS.join(','))
  .option('--links <list>', 'capped, uncapped or both', 'capped,uncapped')
  .option('--json <file>', 'write the measurements there as well')
  .showHelpAfterError()
  .action(bench);

async function bench(flags: Flags): Promise<void> {
  const points = Number(flags.points);
  if (!Number.isInteger(points) || points < 1000)
    throw new Error(`--points ${flags.points}: expected a whole number of at least 1000`);
  const links = flags.links.split(',').map((name) => (name === 'capped' ? CAPPED : UNCAPPED));
  const methods = METHODS.filter((name) => flags.methods.split(',').includes(name));
  await ensureDebianPackages(['iproute2', 'curl', 'rclone']);
  const restic = await ensureRestic();
  const worker = await buildWorker();
  const folder = await mkdtemp(path.join(process.env['BENCH_FOLDER'] ?? tmpdir(), 'bench-replication-'));
  const network = await BenchNetwork.up();
  const end = async (): Promise<void> => {
    await network.down();
    await rm(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void end().finally(() => process.exit(130)));
  try {
    const measured = await runComparison(network, {
      ...{ points, methods: methods satisfies MethodName[], links, folder, worker, restic },
    });
    const verdicts = judge(measured);
    process.stdout.write(`${renderReport(measured, verdicts)}\n`);
    if (flags.json !== undefined)
      await writeFile(flags.json, `${JSON.stringify({ points, measured, verdicts }, null, 2)}\n`);
    if (verdicts.some(({ met }) => !met)) process.exitCode = OBJECTIVE_MISSED;
  } finally {
    progress('taking the networks down');
    await end();
  }
}

/** One file, as the product's agent is: what it loads counts as its memory. */
async function buildWorker(): Promise<string> {
  const outfile = path.join(REPOSITORY, 'dist', 'bench-replication-worker.js');
  await build({
    entryPoints: [path.join(__dirname, 'worker.ts')],
    ...{ bundle: true, platform: 'node', target: 'node20', format: 'cjs', outfile, logLevel: 'warning' },
  });
  return outfile;
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`bench-replication: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

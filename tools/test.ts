/**
 * `make test`: every suite in turn, each result counted, one closing line `N passed, N failed[, N skipped]`.
 * A suite that dies without a report, or outlives its limit, counts as one failure, so nothing can vanish from the sum.
 */
import { readFile, rm } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';

import { progress, REPOSITORY } from './cache';

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}
interface Suite {
  readonly name: string;
  readonly command: readonly string[];
  /** Jest suites report their own counts; any other command is one test. */
  readonly jest: boolean;
  /** Minutes after which it is ended: some four times what it takes on two cores with cold caches. */
  readonly limit: number;
}

const jest = (name: string, config: string, limit: number): Suite => ({
  name,
  jest: true,
  command: ['npx', 'jest', '--config', config],
  limit,
});
const command = (name: string, limit: number, ...words: string[]): Suite => ({
  name,
  jest: false,
  command: words,
  limit,
});

const SUITES: readonly Suite[] = [
  command('lint', 10, 'npx', 'eslint', '.'),
  command('format', 5, 'npx', 'prettier', '--check', '.'),
  command('types', 5, 'npx', 'tsc', '--noEmit'),
  command('import directions', 5, 'npx', 'ts-node', '--transpile-only', 'tools/check-imports.ts'),
  command('workflows', 5, 'npx', 'ts-node', '--transpile-only', 'tools/lint-workflows.ts'),
  command('toolchain', 30, 'npx', 'ts-node', '--transpile-only', 'tools/bootstrap.ts', 'all'),
  // Before the suites, whose time limits are for tests, not for downloads.
  command('lab artefacts', 20, 'lab/lab', 'prepare'),
  jest('unit', 'jest.config.js', 20),
  jest('engine and plugins', 'jest.engine.config.js', 20),
  jest('Qdrant conformance', 'jest.conformance.config.js', 5),
  jest('lab', 'jest.lab.config.js', 45),
];

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const suites = SUITES.filter((suite) => wanted.length === 0 || wanted.includes(suite.name));
  if (suites.length === 0)
    throw new Error(
      `no suite is called ${wanted.join(', ')}; there are: ${SUITES.map((s) => s.name).join(', ')}`,
    );
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  const lines: string[] = [];
  for (const suite of suites) {
    progress(`suite: ${suite.name}`);
    const started = Date.now();
    const count = await runSuite(suite);
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped += count.skipped;
    const seconds = Math.round((Date.now() - started) / 1000);
    lines.push(
      `  ${suite.name.padEnd(20)} ${String(count.passed).padStart(5)} passed ${String(count.failed).padStart(4)} failed ` +
        `${String(count.skipped).padStart(4)} skipped ${String(seconds).padStart(5)} s`,
    );
  }
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);
  process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function runSuite(suite: Suite): Promise<Count> {
  const report = path.join(os.tmpdir(), `suite-${process.pid}.json`);
  const [file, ...args] = suite.command;
  const status = await run(
    file ?? '',
    suite.jest ? [...args, '--json', `--outputFile=${report}`] : args,
    suite,
  );
  if (!suite.jest)
    return status === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
  try {
    const result = JSON.parse(await readFile(report, 'utf8')) as JestReport;
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    return {
      passed: result.numPassedTests,
      failed: status === 0 ? failed : Math.max(failed, 1),
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } catch (error) {
    process.stderr.write(`suite ${suite.name} left no report: ${String(error)}\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    await rm(report, { force: true });
  }
}

/** Runs a suite in a process group of its own, so that an interrupt or the limit ends everything that it started. */
async function run(file: string, args: readonly string[], suite: Suite): Promise<number | null> {
  const child = spawn(file, args, {
    cwd: REPOSITORY,
    detached: true,
    // Jest prints its JSON on stdout as well as into the file; its people-readable report is on stderr.
    stdio: ['ignore', suite.jest ? 'ignore' : 'inherit', 'inherit'],
  });
  const end = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  };
  const interrupted = (signal: NodeJS.Signals): void => {
    end(signal);
    process.exitCode = signal === 'SIGINT' ? 130 : 143;
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const timers = [
    setTimeout(() => {
      progress(`suite ${suite.name} takes longer than ${suite.limit} minutes: ending it`);
      end('SIGTERM');
    }, suite.limit * 60_000),
    setTimeout(() => end('SIGKILL'), suite.limit * 60_000 + 30_000),
  ];
  const status = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  timers.forEach(clearTimeout);
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  if (process.exitCode !== undefined) process.exit();
  return status;
}

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.stdout.write('0 passed, 1 failed\n');
  process.exitCode = 1;
});

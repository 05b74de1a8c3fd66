/**
 * The data drill: `npx ts-node --transpile-only agent/site/testing/data-drill/main.ts [--output FOLDER] [--only WORDS]`.
 * Ends with 0 when every case passed and with 5 when one did not, as a drill that missed an objective does.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { bundleSiteProcess } from './bundle';
import { allCases } from './cases';
import { findPrograms } from './programs';
import { hasPassed, renderReport, writeReport, type DrillReport } from './report';
import { runGroups } from './run-groups';

const OBJECTIVE_MISSED = 5;
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      output: { type: 'string', default: 'drills' },
      only: { type: 'string', default: '' },
      lanes: { type: 'string', default: '3' },
    },
  });
  const cases = allCases().filter(({ name, group }) => `${group}: ${name}`.includes(values.only));
  if (cases.length === 0) throw new Error(`no case has "${values.only}" in its name`);
  const began = Date.now();
  const agent = bundleSiteProcess();
  const programs = { ...findPrograms(), agent };
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      say(`${signal}: ending after the case under way`);
      interrupted.abort();
    });
  }
  say(`data drill: ${cases.length} cases, with ${programs.qdrant}`);
  try {
    const results = await runGroups(cases, {
      programs,
      lanes: Number(values.lanes),
      signal: interrupted.signal,
      onResult: (result, done, all) => {
        const verdict = hasPassed(result) ? result.outcome : `FAILED: ${result.problems.join('; ')}`;
        say(`${done} of ${all}, ${result.seconds.toFixed(1)} s: ${result.name}: ${verdict}`);
      },
    });
    const report: DrillReport = {
      version: 1,
      startedAt: new Date(began).toISOString(),
      seconds: (Date.now() - began) / 1000,
      qdrant: programs.qdrant,
      passed: results.length === cases.length && results.every(hasPassed),
      results,
    };
    const files = await writeReport(values.output, report);
    process.stdout.write(`\n${renderReport(report)}\n\n${files.json}\n${files.text}\n`);
    if (interrupted.signal.aborted) return INTERRUPTED;
    return report.passed ? 0 : OBJECTIVE_MISSED;
  } finally {
    rmSync(agent, { force: true });
  }
}

function say(what: string): void {
  process.stderr.write(`[${new Date().toISOString().slice(11, 19)}] ${what}\n`);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);

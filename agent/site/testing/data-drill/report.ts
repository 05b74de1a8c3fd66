/** What came of a data drill: a table for people, and the same as JSON. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GROUPS, type CaseResult } from './data-case';

export interface DrillReport {
  readonly version: 1;
  readonly startedAt: string;
  readonly seconds: number;
  /** The server that was drilled. */
  readonly qdrant: string;
  readonly passed: boolean;
  readonly results: readonly CaseResult[];
}

const SUMMARY_HEADINGS = ['group', 'cases', 'points lost', '', 'what happened'];
const HEADINGS = ['what was tried', 'step hit', 'what happened', 'points lost', ''];

export function renderReport({ results, seconds, qdrant }: DrillReport): string {
  const good = results.filter(hasPassed).length;
  const lost = results.reduce((sum, result) => sum + result.pointsLost, 0);
  return [
    table([HEADINGS, ...results.map(line)]),
    '',
    table([SUMMARY_HEADINGS, ...summary(results)]),
    '',
    ...results.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`)),
    `${good} of ${results.length} cases passed, ${lost} points lost beyond the published state, in ` +
      `${Math.round(seconds)} s, with ${qdrant}.`,
  ].join('\n');
}

/** One line a group: how many cases, and everything that came of them. */
function summary(results: readonly CaseResult[]): string[][] {
  const groups = GROUPS.map((group) => results.filter((result) => result.group === group));
  return groups
    .filter((own) => own.length > 0)
    .map((own) => [
      own[0]?.group ?? '',
      String(own.length),
      String(own.reduce((sum, { pointsLost }) => sum + pointsLost, 0)),
      `${own.filter(hasPassed).length} passed`,
      [...new Set(own.map(({ outcome }) => outcome))].join(' · '),
    ]);
}

/** Writes both into the folder and answers their paths. */
export async function writeReport(
  folder: string,
  report: DrillReport,
): Promise<{ readonly json: string; readonly text: string }> {
  await mkdir(folder, { recursive: true });
  const base = join(folder, `${report.startedAt.replace(/[-:]|\.\d+/g, '')}-data`);
  const files = { json: `${base}.json`, text: `${base}.txt` };
  await writeFile(files.json, JSON.stringify(report, null, 2) + '\n');
  await writeFile(files.text, renderReport(report) + '\n');
  return files;
}

export function hasPassed({ problems, pointsLost }: CaseResult): boolean {
  return problems.length === 0 && pointsLost === 0;
}

function line(result: CaseResult): string[] {
  const { name, step, outcome, pointsLost } = result;
  return [name, step, outcome, String(pointsLost), hasPassed(result) ? 'passed' : 'FAILED'];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

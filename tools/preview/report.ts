/** A preview as a comment on a pull request: what would change, what it promises, what it costs. */
import type { Stack } from './changed';

export interface Preview {
  readonly stack: Stack;
  /** 0: the engine and its policies have nothing against it. */
  readonly status: number | null;
  /** What the engine printed. */
  readonly output: string;
  /** The stack's `cost` output as it is deployed; null where there is none. */
  readonly deployedMonthlyUsd: number | null;
}

/** GitHub refuses comments over 65 536 characters. */
const COMMENT_LIMIT = 60_000;
const FIGURES = /RTO \d+ s of \d+ s .*$/m;
const COST = /cost (\d+(?:\.\d+)?) US dollars a month/;
const CHANGES = /^\s+([+~-]{1,2}|\+-) \d+ to .*$|^\s+\d+ (?:unchanged|changes?)\b.*$/gm;

/** The line of budgets and cost that the program prints at preview. */
export const figuresIn = (output: string): string | undefined => FIGURES.exec(output)?.[0];

function costDifference({ output, deployedMonthlyUsd }: Preview): string {
  const planned = COST.exec(output)?.[1];
  if (planned === undefined) return 'cost: not known';
  if (deployedMonthlyUsd === null)
    return `cost: ${planned} US dollars a month; nothing is deployed to compare with`;
  const difference = Number(planned) - deployedMonthlyUsd;
  const sign = difference > 0 ? '+' : '';
  return `cost: ${planned} US dollars a month, deployed ${deployedMonthlyUsd}, difference ${sign}${Math.round(difference * 100) / 100}`;
}

function headline(preview: Preview): string[] {
  const { stack, status, output } = preview;
  const changes = [...output.matchAll(CHANGES)].map(([line]) => line.trim());
  return [
    `### ${stack}: ${status === 0 ? changes.join(', ') || 'no changes' : '**refused**'}`,
    figuresIn(output) ?? 'No budgets: the configuration was refused.',
    costDifference(preview),
  ];
}

function section(preview: Preview, limit: number): string {
  const { output } = preview;
  const plan =
    output.length > limit ? `${output.slice(0, limit)}\n… cut; the whole plan is in the job's log` : output;
  return [
    ...headline(preview),
    `<details><summary>plan</summary>\n\n\`\`\`\n${plan.replaceAll('```', "'''").trimEnd()}\n\`\`\`\n</details>`,
  ].join('\n\n');
}

/** What the plans come to, for the terminal, where they have scrolled away. */
export const summary = (previews: readonly Preview[]): string =>
  `\n${previews.map((preview) => headline(preview).join('\n')).join('\n\n')}\n\n`;

/** Markdown. */
export function report(previews: readonly Preview[]): string {
  if (previews.length === 0) return 'No stack is touched by this change.\n';
  const limit = Math.floor(COMMENT_LIMIT / previews.length) - 1000;
  return `${previews.map((preview) => section(preview, limit)).join('\n\n')}\n`;
}

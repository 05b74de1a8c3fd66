/**
 * What a change would do to the stacks: plan, policies, budgets, cost. The engine's own environment says where the state is.
 * `npx ts-node --transpile-only tools/preview/main.ts [--since REF | STACK…] [--drift] [--report FILE]`
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { progress, REPOSITORY } from '../cache';
import { ensureEngine } from '../engine';
import { run } from '../run';
import { changedStacks, isStack, STACKS, type Stack } from './changed';
import { preview } from './preview';
import { report, summary, type Preview } from './report';

async function stacksToLookAt(
  since: string | undefined,
  named: readonly string[],
): Promise<readonly Stack[]> {
  if (since !== undefined) {
    const files = await run('git', ['diff', '--name-only', `${since}...HEAD`], { cwd: REPOSITORY });
    return changedStacks(files.split('\n').filter((file) => file !== ''));
  }
  const unknown = named.filter((name) => !isStack(name));
  if (unknown.length > 0)
    throw new Error(`no stack is called ${unknown.join(', ')}; there are ${STACKS.join(', ')}`);
  return named.length === 0 ? STACKS : STACKS.filter((stack) => named.includes(stack));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      since: { type: 'string' },
      /** Also compare with what is really there; a difference is a failure. */
      drift: { type: 'boolean', default: false },
      report: { type: 'string', default: 'preview/report.md' },
    },
  });
  const stacks = await stacksToLookAt(values.since, positionals);
  const previews: Preview[] = [];
  if (stacks.length > 0) {
    if (process.env['PULUMI_BACKEND_URL'] === undefined)
      throw new Error(
        'PULUMI_BACKEND_URL should say where the state of the stacks is (such as s3://BUCKET) and is not set. ' +
          'To look at an example without any account: make preview PLATFORM=aws.',
      );
    const engine = await ensureEngine();
    const args = values.drift ? ['--refresh', '--expect-no-changes'] : [];
    for (const stack of stacks) {
      progress(`${values.drift ? 'drift' : 'preview'} of ${stack}`);
      previews.push(await preview(stack, { engine, env: engine.env, args }));
    }
  }
  await mkdir(path.dirname(path.resolve(values.report)), { recursive: true });
  await writeFile(values.report, report(previews));
  process.stdout.write(summary(previews));
  progress(`report: ${values.report}`);
  const refused = previews.filter(({ status }) => status !== 0).map(({ stack }) => stack);
  if (refused.length > 0)
    throw new Error(
      `${values.drift ? 'differ from what is there, or could not be compared' : 'refused'}: ${refused.join(', ')}`,
    );
}

main().catch((error: unknown) => {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});

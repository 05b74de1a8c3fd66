/** Lints .github/workflows: `npx ts-node --transpile-only tools/lint-workflows.ts`. */
import { ensureActionlint } from './artifacts/actionlint';
import { progress, REPOSITORY } from './cache';
import { run } from './run';

async function main(): Promise<void> {
  await run(await ensureActionlint(), ['-color'], { cwd: REPOSITORY, inherit: true });
}

main().catch((error: unknown) => {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});

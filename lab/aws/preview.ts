/** `make preview PLATFORM=aws`: plan, policies, budgets and cost of all three stacks, against an emulator and without an account. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { progress, REPOSITORY } from '../../tools/cache';
import { preview } from '../../tools/preview/preview';
import { STACKS } from '../../tools/preview/changed';
import { report, summary, type Preview } from '../../tools/preview/report';
import { ExampleWorld } from './example';

async function main(): Promise<void> {
  progress('starting an emulated AWS with three stacks in it');
  const world = await ExampleWorld.start();
  try {
    const previews: Preview[] = [];
    for (const stack of STACKS) {
      progress(`preview of ${stack}`);
      const { engine, env } = world;
      previews.push(await preview(stack, { engine, env, args: world.configWords(stack) }));
      // The sites' stacks read its outputs.
      if (stack === 'witness' && previews[0]?.status === 0) {
        progress('deploying the witness to the emulator');
        await world.up('witness');
      }
    }
    const file = path.join(REPOSITORY, 'preview', 'report.md');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, report(previews));
    process.stdout.write(summary(previews));
    progress(`as a comment on a pull request: ${path.relative(process.cwd(), file)}`);
    if (previews.some(({ status }) => status !== 0)) throw new Error('a stack was refused; see above');
  } finally {
    await world.dispose();
  }
}

main().catch((error: unknown) => {
  progress(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
});

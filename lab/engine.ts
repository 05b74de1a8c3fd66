/** The real engine on the lab: its backend, passphrase and stack files, run from the clients' place. */
import { randomBytes } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { exists, progress, REPOSITORY } from '../tools/cache';
import { ensureEngine } from '../tools/engine';
import { CommandFailedError, run } from '../tools/run';
import { CONFIG_FOLDER, configFile } from './config';
import { LAB_FOLDER, namesFor, STACKS } from './names';
import { CA_FILE } from './pki';
import { inside } from './world';

const STATE = path.join(LAB_FOLDER, 'state');
const PASSPHRASE = path.join(LAB_FOLDER, 'passphrase');
const ALL = Object.values(STACKS);
/** Commands of the engine that read the stack's configuration. */
const TAKES_CONFIG = new Set(['up', 'update', 'preview', 'pre', 'destroy', 'refresh', 'config', 'watch']);

/** Environment of the engine, as `lab/lab env` prints it. */
export async function engineEnvironment(): Promise<NodeJS.ProcessEnv> {
  const engine = await ensureEngine();
  await mkdir(STATE, { recursive: true, mode: 0o700 });
  if (!(await exists(PASSPHRASE)))
    await writeFile(PASSPHRASE, randomBytes(24).toString('base64url'), { mode: 0o600 });
  return {
    ...engine.env,
    PULUMI_BACKEND_URL: `file://${STATE}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: PASSPHRASE,
    // Types are checked by `make lint`; the engine only runs the program.
    PULUMI_NODEJS_TRANSPILE_ONLY: 'true',
  };
}

/** Words after `ip` that run the engine with these arguments. */
export async function engineWords(
  args: readonly string[],
): Promise<{ words: string[]; env: NodeJS.ProcessEnv }> {
  const env = await engineEnvironment();
  const engine = await ensureEngine();
  const config = configWords(args);
  return { words: [...inside(namesFor(), 'client'), engine.pulumi, ...args, ...config], env };
}

/** Names the lab's own stack file to the commands that read one. Exported for tests. */
export function configWords(args: readonly string[]): string[] {
  const at = args.findIndex((word) => word === '--stack' || word === '-s');
  const stack =
    at >= 0 ? args[at + 1] : args.find((word) => word.startsWith('--stack='))?.slice('--stack='.length);
  const named = args.some((word) => word === '--config-file' || word.startsWith('--config-file='));
  return stack !== undefined && !named && TAKES_CONFIG.has(args[0] ?? '')
    ? ['--config-file', configFile(stack)]
    : [];
}

async function stackExists(stack: string, env: NodeJS.ProcessEnv, pulumi: string): Promise<boolean> {
  const list = JSON.parse(await run(pulumi, ['stack', 'ls', '--json', '-C', CONFIG_FOLDER], { env })) as {
    name: string;
  }[];
  return list.some((entry) => entry.name.split('/').at(-1) === stack);
}

/** Makes the stacks. From the lab's own folder, since the engine writes a salt into the stack file beside Pulumi.yaml. */
export async function ensureStacks(): Promise<void> {
  const { pulumi } = await ensureEngine();
  const env = await engineEnvironment();
  for (const stack of ALL)
    if (!(await stackExists(stack, env, pulumi)))
      await run(pulumi, ['stack', 'init', stack, '--non-interactive', '-C', CONFIG_FOLDER], { env });
}

async function engine(args: readonly string[], label: string): Promise<void> {
  const { words, env } = await engineWords(args);
  const started = Date.now();
  progress(`${label}: pulumi ${args.join(' ')}`);
  await new Promise<void>((resolve, reject) => {
    const child = spawn('ip', words, { cwd: REPOSITORY, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on('line', (line) => {
        lines.push(line);
        process.stderr.write(`  ${label.padEnd(11)}| ${line}\n`);
      });
    child.on('error', reject);
    child.on('close', (status) =>
      status === 0
        ? resolve()
        : reject(new CommandFailedError(`pulumi ${args.join(' ')}`, status, lines.join('\n'))),
    );
  });
  progress(`${label}: done in ${Math.round((Date.now() - started) / 1000)} s`);
}

const UP = ['up', '--yes', '--skip-preview', '--non-interactive', '--color', 'never'];

/** The witness first, then the weights that the sites pull from its store, then both sites at once. */
export async function deploy(modelFolder: string): Promise<void> {
  await ensureStacks();
  await engine([...UP, '--stack', STACKS.witness], STACKS.witness);
  await publishWeights(modelFolder);
  await all([STACKS.uk, STACKS.eu].map((stack) => engine([...UP, '--stack', stack], stack)));
}

/** With the operator's own command, from where operators are. Does nothing where nothing is to be done. */
async function publishWeights(modelFolder: string): Promise<void> {
  const { words, env } = await engineWords([
    ...['stack', 'output', '--json', '--show-secrets'],
    ...['--stack', STACKS.witness],
  ]);
  const outputs = await run('ip', words, { env });
  const failover = path.join(REPOSITORY, 'scripts', 'failover');
  const publish = [
    ...[failover, 'model', 'publish', modelFolder],
    ...['--witness-outputs', '-', '--ca-certificate', CA_FILE],
  ];
  const said = await run('ip', [...inside(namesFor(), 'client'), ...publish], { input: outputs });
  progress(`published the weights: ${said.trim()}`);
}

/** The sites, then the witness. */
export async function destroy(): Promise<void> {
  const words = ['destroy', '--yes', '--skip-preview', '--non-interactive', '--color', 'never'];
  await all([STACKS.uk, STACKS.eu].map((stack) => engine([...words, '--stack', stack], stack)));
  await engine([...words, '--stack', STACKS.witness], STACKS.witness);
}

/** Waits for every one before the first failure is told: a deployment must not be left running behind it. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

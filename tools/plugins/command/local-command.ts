import { spawn } from 'node:child_process';
import { checkFields } from '../protocol/schema';
import { plain, type Wire, type WireMap } from '../protocol/values';
import type { Operation, ResourceType } from '../protocol/provider';
import { uniqueId } from '../protocol/unique-id';
import { collectArchive, collectAssets } from './collect';
import { differs, previewOutputs } from './lifecycle';
import { LOCAL_COMMAND, type LocalCommandInputs } from './inputs';
import { CommandEndedError, OutputRecorder, previousOutput, type Printed } from './output';
import { printedIn } from './remote-command';

/** A command on this machine. */
export const localCommand: ResourceType = {
  check: (inputs) => checkFields(LOCAL_COMMAND, inputs),
  diff: (change) => differs(change, ['triggers']),
  async create(wire, operation) {
    const inputs = read(wire);
    const id = uniqueId(operation.name);
    return { id, outputs: { ...wire, ...(await outputsOf(inputs.create, inputs, {}, operation)) } };
  },
  previewCreate: (inputs) => previewOutputs(LOCAL_COMMAND, { inputs }),
  async update({ state, inputs: wire }, operation) {
    const inputs = read(wire);
    return { ...wire, ...(await outputsOf(inputs.update ?? inputs.create, inputs, state, operation)) };
  },
  previewUpdate: (change) => previewOutputs(LOCAL_COMMAND, change),
  async delete(state, operation) {
    const inputs = read(state);
    await outputsOf(inputs.delete, inputs, state, operation);
  },
};

function read(wire: WireMap): LocalCommandInputs {
  return plain(wire) as unknown as LocalCommandInputs;
}

async function outputsOf(
  command: string | undefined,
  inputs: LocalCommandInputs,
  state: WireMap,
  operation: Operation,
): Promise<WireMap> {
  const kept: Record<string, Wire> = {};
  for (const name of ['assets', 'archive']) if (state[name] !== undefined) kept[name] = state[name];
  const previous = printedIn(state);
  if (command === undefined) return { ...kept, ...previous };
  const printed = await runLocally(command, inputs, previous, operation);
  const directory = inputs.dir ?? process.cwd();
  if (inputs.assetPaths !== undefined) kept['assets'] = await collectAssets(directory, inputs.assetPaths);
  if (inputs.archivePaths !== undefined)
    kept['archive'] = await collectArchive(directory, inputs.archivePaths);
  return { ...kept, ...printed };
}

async function runLocally(
  command: string,
  inputs: LocalCommandInputs,
  previous: Printed,
  { signal, log }: Operation,
): Promise<Printed> {
  signal.throwIfAborted();
  const interpreter = inputs.interpreter ?? [];
  const [program, ...args] = interpreter.length > 0 ? interpreter : ['/bin/sh', '-c'];
  const output = new OutputRecorder(inputs.logging, log);
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => reject(new CommandEndedError(reason, command, output.all()));
    const child = spawn(program as string, [...args, command], {
      cwd: inputs.dir ?? process.cwd(),
      env: { ...process.env, ...inputs.environment, ...previousOutput(inputs, previous) },
      // A group of its own, so that an abort ends what the command started too.
      detached: true,
    });
    const abort = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    };
    signal.addEventListener('abort', abort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => output.stdout(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.stderr(chunk));
    child.stdin.on('error', () => undefined); // the command may end without reading; its status tells
    child.stdin.end(inputs.stdin ?? '');
    child.on('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', abort);
      fail(error.code === 'ENOENT' ? `fork/exec ${program}: no such file or directory` : error.message);
    });
    child.on('close', (status, ended) => {
      signal.removeEventListener('abort', abort);
      const printed = output.end();
      if (status === 0) resolve(printed);
      else fail(ended === null ? `exit status ${status}` : `signal: ${SIGNAL_NAMES[ended] ?? ended}`);
    });
  });
}

const SIGNAL_NAMES: Readonly<Record<string, string>> = {
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGINT: 'interrupt',
  SIGHUP: 'hangup',
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'aborted',
};

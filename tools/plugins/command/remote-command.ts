import { constants } from 'node:os';
import { checkFields } from '../protocol/schema';
import { plain, type WireMap } from '../protocol/values';
import type { Operation, ResourceType } from '../protocol/provider';
import { uniqueId } from '../protocol/unique-id';
import { dial } from './dial';
import { differs, previewOutputs } from './lifecycle';
import { REMOTE_COMMAND, type RemoteCommandInputs } from './inputs';
import { CommandEndedError, OutputRecorder, previousOutput, type Printed } from './output';
import { EnvironmentRefusedError, Session, type SessionEnd } from './session';

const NOTHING_PRINTED: Printed = { stdout: '', stderr: '' };

/** A command on another machine, over SSH. */
export const remoteCommand: ResourceType = {
  check: (inputs) => checkFields(REMOTE_COMMAND, inputs),
  diff: (change) => differs(change, ['triggers']),
  async create(wire, operation) {
    const inputs = read(wire);
    const id = uniqueId(operation.name);
    const printed = await runRemotely(inputs.create, inputs, NOTHING_PRINTED, operation);
    return { id, outputs: { ...wire, ...printed } };
  },
  previewCreate: (inputs) => previewOutputs(REMOTE_COMMAND, { inputs }),
  async update({ state, inputs: wire }, operation) {
    const inputs = read(wire);
    const printed = await runRemotely(inputs.update ?? inputs.create, inputs, printedIn(state), operation);
    return { ...wire, ...printed };
  },
  previewUpdate: (change) => previewOutputs(REMOTE_COMMAND, change),
  async delete(state, operation) {
    const inputs = read(state);
    await runRemotely(inputs.delete, inputs, printedIn(state), operation);
  },
};

function read(wire: WireMap): RemoteCommandInputs {
  return plain(wire) as unknown as RemoteCommandInputs;
}

export function printedIn(state: WireMap): Printed {
  const { stdout, stderr } = plain(state) as unknown as Partial<Printed>;
  return { stdout: stdout ?? '', stderr: stderr ?? '' };
}

async function runRemotely(
  command: string | undefined,
  inputs: RemoteCommandInputs,
  previous: Printed,
  operation: Operation,
): Promise<Printed> {
  if (command === undefined) return previous;
  const connection = await dial(inputs.connection, operation);
  try {
    const session = await Session.open(connection.client);
    await setEnvironment(session, inputs, previous, operation);
    const output = new OutputRecorder(inputs.logging, operation.log);
    const end = await session.run(
      command,
      inputs.stdin ?? '',
      { stdout: (chunk) => output.stdout(chunk), stderr: (chunk) => output.stderr(chunk) },
      operation.signal,
    );
    const printed = output.end();
    if (end.status !== 0) throw new CommandEndedError(describe(end), command, output.all());
    return printed;
  } finally {
    connection.close();
  }
}

/** The program's own variables must be accepted; the previous output is a courtesy that only warns. */
async function setEnvironment(
  session: Session,
  inputs: RemoteCommandInputs,
  previous: Printed,
  { log }: Operation,
): Promise<void> {
  for (const [name, value] of Object.entries(inputs.environment ?? {})) {
    await session.setEnvironment(name, value).catch((error: unknown) => {
      if (error instanceof EnvironmentRefusedError) log.error(refusal(name));
      throw error;
    });
  }
  for (const [name, value] of Object.entries(previousOutput(inputs, previous))) {
    await session.setEnvironment(name, value).catch((error: unknown) => {
      if (!(error instanceof EnvironmentRefusedError)) throw error;
      log.warning(refusal(name));
    });
  }
}

function refusal(name: string): string {
  return (
    `Unable to set '${name}'. This only works if your SSH server is configured to accept these variables via ` +
    'AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could prefix the ' +
    "command itself with the variables in the form 'VAR=value command'"
  );
}

function describe({ status, signal }: SessionEnd): string {
  if (signal !== null) {
    const number = (constants.signals as Readonly<Record<string, number>>)[signal] ?? 0;
    return `Process exited with status ${128 + number} from signal ${signal.replace(/^SIG/, '')}`;
  }
  if (status !== null) return `Process exited with status ${status}`;
  return 'wait: remote command exited without exit status or exit signal';
}

/**
 * Copies a file, a text or a folder to another machine. It only ever adds and overwrites: modes are the server's
 * defaults, files that went away locally stay, and deleting the resource deletes nothing.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkFields } from '../protocol/schema';
import { bare, isAsset, isUnknown, plain, type WireMap } from '../protocol/values';
import type { CheckFailure, Operation, ResourceType } from '../protocol/provider';
import { uniqueId } from '../protocol/unique-id';
import { dial } from './dial';
import { differs } from './lifecycle';
import { COPY_FILE, COPY_TO_REMOTE, type Connection } from './inputs';
import { openSftp, type RemoteFiles } from './sftp';

interface Source {
  readonly hash?: string;
  readonly path?: string;
  readonly text?: string;
}

interface CopyInputs {
  readonly connection: Connection;
  readonly source: Source;
  readonly remotePath: string;
}

export const copyToRemote: ResourceType = {
  check(inputs) {
    const { inputs: checked, failures } = checkFields(COPY_TO_REMOTE, inputs);
    return { inputs: checked, failures: [...failures, ...sourceFailures(checked)] };
  },
  diff: (change) => differs(change, ['triggers']),
  async create(wire, operation) {
    await copy(plain(wire) as unknown as CopyInputs, operation);
    return { id: uniqueId(''), outputs: wire };
  },
  previewCreate: (inputs) => inputs,
  async update({ state, inputs: wire }, operation) {
    const before = plain(state) as unknown as CopyInputs;
    const inputs = plain(wire) as unknown as CopyInputs;
    const moved = inputs.remotePath !== before.remotePath;
    if (moved || inputs.source.hash !== before.source.hash) await copy(inputs, operation);
    return wire;
  },
  previewUpdate: ({ inputs }) => inputs,
  delete: async () => undefined,
};

/** The older form, of one local file; it has no update, so every change replaces it. */
export const copyFile: ResourceType = {
  check: (inputs) => checkFields(COPY_FILE, inputs),
  diff: (change) => differs(change, 'all'),
  async create(wire, operation) {
    const { connection, localPath, remotePath } = plain(wire) as unknown as CopyInputs & {
      localPath: string;
    };
    await stat(localPath);
    await withSftp(connection, operation, (files) => files.upload(localPath, remotePath));
    return { id: uniqueId(''), outputs: wire };
  },
  previewCreate: (inputs) => inputs,
  update: async () => {
    throw new Error('a CopyFile is never updated in place');
  },
  previewUpdate: ({ inputs }) => inputs,
  delete: async () => undefined,
};

function sourceFailures(inputs: WireMap): readonly CheckFailure[] {
  const source = bare(inputs['source']);
  if (source === undefined || isUnknown(source)) return [];
  const { path: local, text } = source as unknown as Source;
  if (isAsset(source) && local === undefined && text === undefined) {
    return [{ property: 'asset', reason: 'asset must be a path-based file asset or a text asset' }];
  }
  if (!isAsset(source) && local === undefined) {
    return [{ property: 'archive', reason: 'archive must be a path to a file or directory' }];
  }
  return [];
}

async function copy({ connection, source, remotePath }: CopyInputs, operation: Operation): Promise<void> {
  await withSftp(connection, operation, async (files) => {
    if (source.path !== undefined && source.path !== '') await copyPath(files, source.path, remotePath);
    else await copyText(files, source.text ?? '', remotePath);
  });
}

async function withSftp(
  target: Connection,
  operation: Operation,
  work: (files: RemoteFiles) => Promise<void>,
): Promise<void> {
  const connection = await dial(target, operation);
  const abort = (): void => connection.close();
  operation.signal.addEventListener('abort', abort, { once: true });
  try {
    await work(await openSftp(connection.client));
  } finally {
    operation.signal.removeEventListener('abort', abort);
    connection.close();
  }
}

async function copyText(files: RemoteFiles, text: string, target: string): Promise<void> {
  if ((await files.kind(target)) === 'directory') {
    throw new Error(
      `remote path ${target} is a directory; when using a text asset, remotePath must be a file path`,
    );
  }
  await files.makeDirectories(path.posix.dirname(target));
  await files.write(target, Buffer.from(text, 'utf8'));
}

/** A folder lands as `target/<its name>`, or its content in `target` when the source ends in `/`. */
async function copyPath(files: RemoteFiles, source: string, target: string): Promise<void> {
  const kind = await files.kind(target);
  if ((await stat(source)).isDirectory()) {
    if (kind === undefined) await files.makeDirectories(target);
    const into = source.endsWith('/') ? target : path.posix.join(target, path.basename(source));
    await copyFolder(files, source, into);
  } else if (kind === 'directory') {
    await files.upload(source, path.posix.join(target, path.basename(source)));
  } else {
    if (kind === undefined) await files.makeDirectories(path.posix.dirname(target));
    await files.upload(source, target);
  }
}

async function copyFolder(files: RemoteFiles, source: string, target: string): Promise<void> {
  const kind = await files.kind(target);
  if (kind === 'file') throw new Error(`remote path ${target} exists but is not a directory`);
  if (kind === undefined) await files.makeDirectory(target);
  const entries = await readdir(source, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const from = path.join(source, entry.name);
    const to = path.posix.join(target, entry.name);
    if (entry.isDirectory()) await copyFolder(files, from, to);
    else await files.upload(from, to);
  }
}

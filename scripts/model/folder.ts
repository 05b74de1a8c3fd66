import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { isPlainPath, parseSums, renderSums, SUMS_FILE } from '../../infra/contract/weights';
import { ModelFolderError } from './errors';

export interface ModelFile {
  /** Below the folder, with forward slashes. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Where its content lies on this machine. */
  readonly file: string;
}

/** A version of the weights as it would be published. */
export interface ModelVersion {
  readonly files: readonly ModelFile[];
  readonly sums: Buffer;
  /** What configuration calls `modelSha256`. */
  readonly sha256: string;
}

export const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/**
 * Reads a folder of weights. Its own SHA256SUMS counts where it has one, and must be right; otherwise `source` is written
 * into the list that is made, so that the hash pins where the files are from as well as what is in them.
 */
export async function readModel(
  folder: string,
  source: string | undefined,
  progress: (text: string) => void,
): Promise<ModelVersion> {
  const paths = await listFiles(folder);
  const files: ModelFile[] = [];
  for (const each of paths) {
    const file = path.join(folder, each);
    const { size: bytes } = await stat(file);
    if (bytes > 1e9) progress(`reading ${each}, ${(bytes / 1e9).toFixed(1)} GB`);
    files.push({ path: each, sha256: await hashFile(file), bytes, file });
  }
  if (files.length === 0) throw new ModelFolderError(`${folder} holds no files`);
  const own = await readFile(path.join(folder, SUMS_FILE)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  });
  const sums = own === null ? makeSums(folder, files, source) : checkSums(folder, files, own, source);
  return { files, sums, sha256: sha256Of(sums) };
}

function makeSums(folder: string, files: readonly ModelFile[], source: string | undefined): Buffer {
  if (source === undefined) {
    throw new ModelFolderError(`${folder} has no ${SUMS_FILE}, and where its files are from is not said`, {
      next: [
        'add --source NAME --revision REVISION, such as the commit of the repository that they were downloaded from',
      ],
    });
  }
  return Buffer.from(renderSums(files, source));
}

function checkSums(
  folder: string,
  files: readonly ModelFile[],
  own: Buffer,
  source: string | undefined,
): Buffer {
  const at = path.join(folder, SUMS_FILE);
  const parsed = parseSums(own.toString('utf8'));
  if (!parsed.ok) throw new ModelFolderError(`${at} is no list of weights: ${parsed.problem}`);
  if (source !== undefined && parsed.source !== source) {
    throw new ModelFolderError(
      `${at} says ${parsed.source ?? 'nothing of where its files are from'}, not ${source}`,
      {
        next: ['leave --source and --revision out, or remove that file to have a new list made'],
      },
    );
  }
  const listed = new Map(parsed.files.map((file) => [file.path, file.sha256]));
  const wrong = files.filter((file) => listed.get(file.path) !== file.sha256).map((file) => file.path);
  const absent = parsed.files
    .map((file) => file.path)
    .filter((name) => !files.some((file) => file.path === name));
  if (wrong.length + absent.length === 0) return own;
  throw new ModelFolderError(
    `${at} does not describe the folder: ${[...wrong, ...absent].slice(0, 5).join(', ')}`,
    {
      next: ['get the files again; or, if they are right, remove that file to have a new list made'],
    },
  );
}

/** Links count as what they lead to; what a downloader keeps in hidden files is none of the model's. */
async function listFiles(folder: string, below = ''): Promise<string[]> {
  const found: string[] = [];
  const entries = await readdir(path.join(folder, below)).catch((error: unknown) => {
    throw new ModelFolderError(`${path.join(folder, below)} cannot be read: ${(error as Error).message}`);
  });
  for (const name of entries.sort()) {
    const at = below === '' ? name : `${below}/${name}`;
    if (name.startsWith('.') || at === SUMS_FILE) continue;
    const info = await stat(path.join(folder, at));
    if (info.isDirectory()) found.push(...(await listFiles(folder, at)));
    else if (!isPlainPath(at)) throw new ModelFolderError(`${folder} holds ${JSON.stringify(at)}: rename it`);
    else found.push(at);
  }
  return found;
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import {
  MAX_SUMS_BYTES,
  parseSums,
  SUMS_FILE,
  versionFolder,
  weightsKey,
  type WeightsFile,
} from '../../../infra/contract/weights';
import { DiskFullError, ModelMismatchError, ObjectStoreError } from '../errors';
import { bytesOf, fetchFile, partPath, type FetchPorts, type WantedFile } from './fetch-file';

export interface PullOptions {
  /** Folder of all versions; each has its own below it. */
  readonly folder: string;
  /** Of the version's list of files. */
  readonly sha256: string;
  readonly freeBytes: (folder: string) => Promise<number>;
  /** Told before each thing that is done; a test stops there. */
  readonly step?: (what: string) => void;
}

export interface Pulled {
  readonly files: number;
  readonly bytes: number;
  /** What the list says of where it is from. */
  readonly source: string | null;
}

const PARALLEL_FILES = 4;
/** Left over for the rest of the server. */
const SPARE_BYTES = 512 * 1024 * 1024;
const incomingFolder = ({ folder, sha256 }: PullOptions): string =>
  path.join(folder, `.incoming-${sha256.slice(0, 12)}`);

/**
 * Brings a version of the weights to this server, unless it is here: into a folder of its own that appears under its name only
 * when every file in it is whole and verified. No other version is touched. Null when there was nothing to do.
 */
export async function pullVersion(ports: FetchPorts, options: PullOptions): Promise<Pulled | null> {
  const step = options.step ?? (() => undefined);
  const target = versionFolder(options.folder, options.sha256);
  if ((await bytesOf(path.join(target, SUMS_FILE))) > 0) return null;
  const incoming = incomingFolder(options);
  step('clear');
  await removeOtherIncoming(options);
  await fs.mkdir(incoming, { recursive: true, mode: 0o755 });
  step('list');
  const sums = await readSums(ports, options.sha256);
  const parsed = parseSums(sums.toString('utf8'));
  if (!parsed.ok)
    throw new ModelMismatchError(`the list ${weightsKey(options.sha256)} is none: ${parsed.problem}`);
  step('sizes');
  const wanted = await sizesOf(ports, parsed.files);
  await checkSpace(incoming, wanted, options);
  await inParallel(wanted, async (file) => {
    const at = path.join(incoming, file.path);
    step(`fetch ${file.path}`);
    await fs.mkdir(path.dirname(at), { recursive: true, mode: 0o755 });
    // Under its name only once it was verified.
    if ((await bytesOf(at)) !== file.bytes || file.bytes === 0) await fetchFile(ports, file, at);
    step(`fetched ${file.path}`);
  });
  await writeSynced(path.join(incoming, SUMS_FILE), sums);
  await finishFolders(incoming);
  step('switch');
  // What is left of a version that somebody damaged; nothing serves from a folder without a list.
  await fs.rm(target, { recursive: true, force: true });
  await fs.rename(incoming, target);
  await syncFolder(options.folder);
  step('done');
  return {
    files: wanted.length,
    bytes: wanted.reduce((sum, { bytes }) => sum + bytes, 0),
    source: parsed.source,
  };
}

/** What was begun of a version that is wanted no more takes space that this one may need. */
async function removeOtherIncoming(options: PullOptions): Promise<void> {
  const own = path.basename(incomingFolder(options));
  for (const name of await fs.readdir(options.folder)) {
    if (name.startsWith('.incoming-') && name !== own)
      await fs.rm(path.join(options.folder, name), { recursive: true });
  }
}

async function readSums({ store }: FetchPorts, sha256: string): Promise<Buffer> {
  const size = await store.size(sha256);
  if (size === null || size > MAX_SUMS_BYTES) {
    throw new ObjectStoreError(
      `the store has no list of weights ${weightsKey(sha256)}: publish this version with \`failover model publish\`, or correct modelSha256`,
    );
  }
  const chunks: Buffer[] = [];
  for await (const chunk of await store.open(sha256, 0)) chunks.push(chunk as Buffer);
  const sums = Buffer.concat(chunks);
  const has = createHash('sha256').update(sums).digest('hex');
  if (has === sha256) return sums;
  throw new ModelMismatchError(
    `the list ${weightsKey(sha256)} in the store has SHA-256 ${has}: apply again; if it happens again, remove it there and publish the weights again`,
  );
}

async function sizesOf({ store }: FetchPorts, files: readonly WeightsFile[]): Promise<WantedFile[]> {
  const wanted: WantedFile[] = [];
  const missing: string[] = [];
  for (const file of files) {
    const bytes = await store.size(file.sha256);
    if (bytes === null) missing.push(file.path);
    else wanted.push({ ...file, bytes });
  }
  if (missing.length === 0) return wanted;
  throw new ObjectStoreError(
    `the store lacks ${missing.length} of ${files.length} files of these weights (${missing.slice(0, 5).join(', ')}): ` +
      'publish them again with `failover model publish`, which sends what is missing',
  );
}

async function checkSpace(
  incoming: string,
  wanted: readonly WantedFile[],
  { folder, freeBytes }: PullOptions,
): Promise<void> {
  let missing = 0;
  for (const file of wanted) {
    const at = path.join(incoming, file.path);
    missing += Math.max(0, file.bytes - (await bytesOf(at)) - (await bytesOf(partPath(at))));
  }
  const free = await freeBytes(folder);
  if (missing === 0 || free >= missing + SPARE_BYTES) return;
  const mib = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);
  throw new DiskFullError(
    `${folder} has ${mib(free)} MiB free and these weights need ${mib(missing + SPARE_BYTES)} MiB beside those that serve: ` +
      'free some space, or give it a larger disk',
  );
}

/** The first failure is thrown when nothing is under way any more. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && errors.length === 0; item = queue.shift()) {
      await work(item).catch((error: unknown) => errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_FILES }, worker));
  if (errors.length > 0) throw errors[0];
}

async function writeSynced(file: string, content: Buffer): Promise<void> {
  const handle = await fs.open(file, 'w', 0o644);
  try {
    await handle.writeFile(content);
    await handle.chmod(0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** On the disk, and open to the engine's user whatever the mask of whoever applies. */
async function finishFolders(folder: string): Promise<void> {
  for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await finishFolders(path.join(folder, entry.name));
  }
  await fs.chmod(folder, 0o755);
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

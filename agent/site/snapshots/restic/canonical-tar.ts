/**
 * From a folder of a shard's files to a tar that Qdrant recovers from. The same files always give the same bytes, whatever
 * their times, modes and holes on disk, so that its digest tells whether another site has the same files. Files that are
 * mostly hole (Qdrant's are 32 MiB from the start) are written in the old GNU form of sparse entries, which Qdrant reads.
 */
import { lstat, open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AgentError } from '../../../shared/errors';

/** Something in the folder that no snapshot of a shard holds. */
export class UnfitFileError extends AgentError {
  readonly code = 'UNFIT_FILE';
}

interface Extent {
  readonly offset: number;
  readonly length: number;
}

const RECORD = 512;
/** Holes are found in steps of this size, which is a multiple of the record's. */
const STEP = 4096;
const READ_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(STEP);
const IN_HEADER = 4;
const IN_EXTENSION = 21;

/** Memory is bounded, whatever the size. Entries are in the order of their names' code units. */
export function packCanonically(folder: string): Readable {
  return Readable.from(archive(folder), { objectMode: false });
}

async function* archive(folder: string): AsyncGenerator<Buffer> {
  yield* entries(folder, '');
  yield Buffer.alloc(2 * RECORD);
}

async function* entries(folder: string, prefix: string): AsyncGenerator<Buffer> {
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isDirectory()) {
      yield* header({ name: `${prefix}${name}/`, type: '5', size: 0 });
      yield* entries(path, `${prefix}${name}/`);
    } else if (found.isFile()) {
      yield* file(path, `${prefix}${name}`, found.size);
    } else {
      throw new UnfitFileError(`${path} is neither a file nor a folder. Look what put it there.`);
    }
  }
}

async function* file(path: string, name: string, size: number): AsyncGenerator<Buffer> {
  const handle = await open(path, 'r');
  try {
    const extents = await extentsOf(handle, size);
    const stored = extents.reduce((sum, { length }) => sum + length, 0);
    if (stored === size) yield* header({ name, type: '0', size });
    else yield* header({ name, type: 'S', size: stored, sparse: { extents, realSize: size } });
    for (const { offset, length } of extents) yield* content(handle, path, offset, length);
    yield* padding(stored);
  } finally {
    await handle.close();
  }
}

/** Where the file has anything but zeros. */
async function extentsOf(handle: FileHandle, size: number): Promise<Extent[]> {
  const extents: { offset: number; length: number }[] = [];
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, Math.max(size, 1)));
  for (let at = 0; at < size;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    for (let step = 0; step < bytesRead; step += STEP) {
      const length = Math.min(STEP, bytesRead - step);
      if (buffer.compare(ZEROS, 0, length, step, step + length) === 0) continue;
      const last = extents.at(-1);
      if (last !== undefined && last.offset + last.length === at + step) last.length += length;
      else extents.push({ offset: at + step, length });
    }
    at += bytesRead;
  }
  return extents;
}

async function* content(
  handle: FileHandle,
  path: string,
  offset: number,
  length: number,
): AsyncGenerator<Buffer> {
  for (let done = 0; done < length;) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, length - done));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset + done);
    if (bytesRead === 0) throw new UnfitFileError(`${path} became shorter while it was read. Try again.`);
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}

interface Entry {
  readonly name: string;
  readonly type: '0' | '5' | 'S' | 'L';
  /** Of what follows the header. */
  readonly size: number;
  readonly sparse?: { readonly extents: readonly Extent[]; readonly realSize: number };
}

function* header(entry: Entry): Generator<Buffer> {
  const name = Buffer.from(entry.name, 'utf8');
  if (name.length > 100) {
    const whole = Buffer.concat([name, Buffer.alloc(1)]);
    yield* header({ name: '././@LongLink', type: 'L', size: whole.length });
    yield whole;
    yield* padding(whole.length);
  }
  const block = Buffer.alloc(RECORD);
  name.copy(block, 0, 0, 100);
  number(block, 100, 8, entry.type === '5' ? 0o755 : 0o644);
  for (const [at, length] of [
    [108, 8],
    [116, 8],
    [136, 12],
  ] as const)
    number(block, at, length, 0);
  number(block, 124, 12, entry.size);
  block.write(entry.type, 156, 'ascii');
  block.write('ustar  \0', 257, 'ascii');
  const map = entry.sparse === undefined ? [] : sparseMap(entry.sparse);
  if (entry.sparse !== undefined) {
    writeMap(block, 386, map.slice(0, IN_HEADER));
    block[482] = map.length > IN_HEADER ? 1 : 0;
    number(block, 483, 12, entry.sparse.realSize);
  }
  checksum(block);
  yield block;
  for (let at = IN_HEADER; at < map.length; at += IN_EXTENSION) {
    const extension = Buffer.alloc(RECORD);
    writeMap(extension, 0, map.slice(at, at + IN_EXTENSION));
    extension[504] = map.length > at + IN_EXTENSION ? 1 : 0;
    yield extension;
  }
}

/** Ends where the file ends: an empty extent there stands for a hole before it. */
function sparseMap({ extents, realSize }: NonNullable<Entry['sparse']>): readonly Extent[] {
  const last = extents.at(-1);
  const end = last === undefined ? 0 : last.offset + last.length;
  return end === realSize ? extents : [...extents, { offset: realSize, length: 0 }];
}

function writeMap(block: Buffer, start: number, extents: readonly Extent[]): void {
  extents.forEach(({ offset, length }, index) => {
    number(block, start + index * 24, 12, offset);
    number(block, start + index * 24 + 12, 12, length);
  });
}

/** Octal with a closing NUL, or base 256 where that is too short. */
function number(block: Buffer, at: number, length: number, value: number): void {
  const octal = value.toString(8);
  if (octal.length < length) {
    block.write(`${octal.padStart(length - 1, '0')}\0`, at, 'ascii');
    return;
  }
  block[at] = 0x80;
  block.writeBigUInt64BE(BigInt(value), at + length - 8);
}

function checksum(block: Buffer): void {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
}

function* padding(size: number): Generator<Buffer> {
  const rest = size % RECORD;
  if (rest > 0) yield Buffer.alloc(RECORD - rest);
}

/**
 * One publish's part of a collection's table of hashes, on disk: a file of lines `id ⇥ payload ⇥ vectors` in 256
 * sections, one a bucket, and a header that is written last and names each section with its checksum. A segment without a
 * header was never finished; a section that does not fit its checksum is torn.
 */
import { createHash } from 'node:crypto';
import { open, mkdir, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../../shared/errors';
import { readIfPresent, writeDurably } from '../state/durable-file';
import { BUCKETS } from './bucket-sums';
import type { IdKey, PointHash } from './point-hash';

/** Null: the point was there before and is no more. */
export type Change = PointHash | null;

const Header = z.object({
  version: z.literal(1),
  publishId: z.string(),
  /** A full segment has every point, any other what changed since the one before. */
  full: z.boolean(),
  file: z.string(),
  points: z.number().int().nonnegative(),
  sums: z.string(),
  /** Offset, length and checksum of each bucket's lines. */
  sections: z.array(z.tuple([z.number(), z.number(), z.string()])).length(BUCKETS),
});
export type SegmentHeader = z.output<typeof Header>;

/** The table cannot be trusted: it is made anew by reading the collection. */
export class TableTornError extends AgentError {
  readonly code = 'DIGEST_TABLE_TORN';
}

const HEADER = '.json';

/** Writes the lines bucket by bucket, in order; nothing counts before `finish`. */
export class SegmentWriter {
  private readonly sections: [number, number, string][] = [];
  private offset = 0;

  private constructor(
    private readonly folder: string,
    private readonly file: string,
    private readonly handle: FileHandle,
  ) {}

  static async create(folder: string, publishId: string, full: boolean): Promise<SegmentWriter> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = `${publishId}.${full ? 'full' : 'delta'}`;
    return new SegmentWriter(folder, file, await open(join(folder, file), 'w', 0o600));
  }

  async bucket(changes: ReadonlyMap<IdKey, Change>): Promise<void> {
    let text = '';
    for (const [key, hash] of changes) {
      text += hash === null ? `${key}\n` : `${key}\t${hash.payload}\t${hash.vectors}\n`;
    }
    const bytes = Buffer.from(text);
    await this.handle.writeFile(bytes);
    this.sections.push([this.offset, bytes.length, checksum(bytes)]);
    this.offset += bytes.length;
  }

  async finish(
    header: Pick<SegmentHeader, 'publishId' | 'full' | 'points' | 'sums'>,
  ): Promise<SegmentHeader> {
    await this.handle.sync();
    await this.handle.close();
    const whole: SegmentHeader = { version: 1, file: this.file, sections: this.sections, ...header };
    await writeDurably(join(this.folder, `${header.publishId}${HEADER}`), JSON.stringify(whole));
    return whole;
  }

  async abandon(): Promise<void> {
    await this.handle.close();
    await rm(join(this.folder, this.file), { force: true });
  }
}

/** Headers in the order of publishing. */
export async function listSegments(folder: string): Promise<SegmentHeader[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const headers: SegmentHeader[] = [];
  for (const name of names.filter((each) => each.endsWith(HEADER)).sort()) {
    const text = (await readIfPresent(join(folder, name))) ?? '';
    headers.push(parseHeader(text, join(folder, name)));
  }
  return headers;
}

export async function removeSegment(folder: string, header: SegmentHeader): Promise<void> {
  await rm(join(folder, `${header.publishId}${HEADER}`), { force: true });
  await rm(join(folder, header.file), { force: true });
}

/** One bucket of one segment, over what is in `into` already. */
export async function readBucket(
  folder: string,
  header: SegmentHeader,
  bucket: number,
  into: Map<IdKey, PointHash>,
): Promise<void> {
  const [offset, length, sum] = header.sections[bucket] ?? [0, 0, ''];
  const bytes = Buffer.alloc(length);
  if (length > 0) await readFully(join(folder, header.file), bytes, offset);
  if (checksum(bytes) !== sum) {
    throw new TableTornError(`${join(folder, header.file)}: bucket ${bucket} is not what was written.`);
  }
  for (const line of bytes.toString('utf8').split('\n')) {
    if (line === '') continue;
    const [key = '', payload, vectors] = line.split('\t');
    if (payload === undefined || vectors === undefined) into.delete(key);
    else into.set(key, { payload, vectors });
  }
}

async function readFully(path: string, bytes: Buffer, offset: number): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (cause) {
    throw new TableTornError(`${path} cannot be opened.`, { cause });
  }
  try {
    await handle.read(bytes, 0, bytes.length, offset);
  } finally {
    await handle.close();
  }
}

function parseHeader(text: string, where: string): SegmentHeader {
  try {
    return Header.parse(JSON.parse(text));
  } catch (cause) {
    throw new TableTornError(`${where} is not the header of a segment.`, { cause });
  }
}

function checksum(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
}

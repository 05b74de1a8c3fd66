/** The site's memory as one small JSON file, replaced whole: after a power cut it is the old one or the new one. */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { isSystemError } from '../shared/errors';
import { PersistedStateCorruptError } from './errors';
import { HistoryEntrySchema, LeaseSchema } from './lease-format';
import type { PersistedState, StatePort } from './ports';

const epoch = z.number().int().nonnegative();
const PersistedStateSchema = z.object({
  version: z.literal(1),
  highestEpoch: epoch,
  lastHeldEpoch: epoch.nullable(),
  cleanHandoverEpoch: epoch.nullable(),
  reprotectedEpoch: epoch.nullable(),
  reprotecting: z.boolean(),
  pendingClaim: z
    .object({
      lease: LeaseSchema,
      ifMatch: z.string().min(1),
      overNonce: z.string().optional(),
      entry: HistoryEntrySchema,
    })
    .nullable(),
  unwrittenHistory: z.array(HistoryEntrySchema),
  veto: z
    .object({ by: z.string(), reason: z.string(), at: z.string(), forSeconds: z.number().positive() })
    .nullable()
    .default(null),
});

/** A site's memory from outside; null when there is none yet. */
export function readLineage(value: unknown, where: string): PersistedState | null {
  if (value === null || value === undefined) return null;
  const parsed = PersistedStateSchema.safeParse(value);
  if (!parsed.success) throw new PersistedStateCorruptError(where, parsed.error);
  return parsed.data;
}

export class LineageFile implements StatePort {
  constructor(private readonly file: string) {}

  /** Null when there is no such file: a site that has never run. A file that cannot be read is an error, never null. */
  async load(): Promise<PersistedState | null> {
    let text: string;
    try {
      text = await readFile(this.file, 'utf8');
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return null;
      throw new PersistedStateCorruptError(this.file, error);
    }
    try {
      return PersistedStateSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new PersistedStateCorruptError(this.file, error);
    }
  }

  async save(state: PersistedState): Promise<void> {
    const folder = path.dirname(this.file);
    await mkdir(folder, { recursive: true });
    const temporary = `${this.file}.tmp`;
    const handle = await open(temporary, 'w', 0o640);
    try {
      await handle.writeFile(`${JSON.stringify(state, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.file);
    const directory = await open(folder, 'r');
    try {
      await directory.sync(); // the rename itself
    } finally {
      await directory.close();
    }
  }
}

/** The object that says which server leads a site, and what the site remembers: `leaders/<site>.json`. */
import { z } from 'zod';
import { LeaderCorruptError } from './errors';

const LeaderRecord = z.object({
  version: z.literal(1),
  site: z.string().min(1),
  /** Grows by one whenever a server begins to lead, the same one included. */
  term: z.number().int().positive(),
  leader: z.string().min(1),
  /** Differs in every write, so that no ETag ever comes back. */
  nonce: z.string().min(1),
  ttlSeconds: z.number().positive(),
  /** Wall clock of the writer, for people; never compared. */
  writtenAt: z.string(),
  /** Grows by one with every change of the memory. */
  revision: z.number().int().nonnegative(),
  /** What must outlive whoever leads, part by part. */
  memory: z.record(z.string(), z.unknown()),
});
export type LeaderRecord = z.output<typeof LeaderRecord>;

export const leaderKey = (site: string): string => `leaders/${site}.json`;
export const encodeRecord = (record: LeaderRecord): string => `${JSON.stringify(record)}\n`;

export function decodeRecord(text: string, where: string): LeaderRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LeaderCorruptError(where, `${text.length} characters that are not JSON`, cause);
  }
  const parsed = LeaderRecord.safeParse(json);
  if (!parsed.success)
    throw new LeaderCorruptError(where, z.prettifyError(parsed.error).replaceAll('\n', ' '));
  return parsed.data;
}

/** Where in the site's history a record stands. */
export type Position = Pick<LeaderRecord, 'term' | 'revision'>;

/** Negative when `a` is the earlier one. */
export const comparePositions = (a: Position, b: Position): number =>
  a.term - b.term || a.revision - b.revision;

/** What this server's disk has of the site's memory: the object itself, so that a person can put it back. */
import { readIfPresent, writeDurably } from '../site/state/durable-file';
import { describeError } from '../shared/errors';
import { LeaderCorruptError } from './errors';
import { decodeRecord, encodeRecord, type LeaderRecord, type Position } from './record';

export interface LeaderCopy {
  load(): Promise<{ readonly copy: Position | null; readonly inheritance: LeaderRecord['memory'] }>;
  save(record: LeaderRecord): Promise<void>;
}

export class LeaderCopyFile implements LeaderCopy {
  /**
   * @param file the copy
   * @param inherited files of the time when the site had one server, by part of the memory
   */
  constructor(
    private readonly file: string,
    private readonly inherited: Readonly<Record<string, string>>,
  ) {}

  async load(): ReturnType<LeaderCopy['load']> {
    const text = await readIfPresent(this.file);
    if (text !== null) {
      const { term, revision } = decodeRecord(text, this.file);
      return { copy: { term, revision }, inheritance: {} };
    }
    const inheritance: Record<string, unknown> = {};
    for (const [part, file] of Object.entries(this.inherited)) {
      const left = await readIfPresent(file);
      if (left === null) continue;
      try {
        inheritance[part] = JSON.parse(left) as unknown;
      } catch (cause) {
        throw new LeaderCorruptError(file, describeError(cause), cause);
      }
    }
    return { copy: null, inheritance };
  }

  save(record: LeaderRecord): Promise<void> {
    return writeDurably(this.file, encodeRecord(record));
  }
}

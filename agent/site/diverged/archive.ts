/** What was set aside here, for whoever merges it: summaries, the lists page by page, and what became of them. */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  DivergedMergedRequest,
  DivergedPageResponse,
  DivergedSummary,
} from '../../../infra/contract/agent-api';
import { SkippedError, isNoSuchFile } from '../errors';
import type { RecordEvent, SiteClock } from '../ports';
import type { Ledger } from '../state/ledger';
import { DIVERGED_FILE } from './export';

/** A page has at least one line, however long it is, and otherwise so many bytes. */
const PAGE_BYTES = 1024 * 1024;

export class DivergedArchive {
  constructor(
    private readonly options: {
      readonly ledger: Ledger;
      readonly clock: SiteClock;
      readonly record: RecordEvent;
    },
  ) {}

  list(): readonly DivergedSummary[] {
    return this.options.ledger.state.setAside;
  }

  async page(epoch: number, offset: number): Promise<DivergedPageResponse> {
    const { folder } = this.find(epoch);
    let file: FileHandle;
    try {
      file = await open(join(folder, DIVERGED_FILE), 'r');
    } catch (error) {
      if (!isNoSuchFile(error)) throw error;
      throw new SkippedError(
        'NO_LIST',
        `There is no list in ${folder}: it was set aside by an older agent. Recover its snapshots into a Qdrant of your own.`,
      );
    }
    try {
      return await readLines(file, offset);
    } finally {
      await file.close();
    }
  }

  /** The whole list has been through a merge; said once more, it replaces what was said before. */
  async merged({ epoch, by, reason, policy, outcome }: DivergedMergedRequest): Promise<void> {
    const { ledger, clock, record } = this.options;
    const kept = this.find(epoch);
    const merged = { at: clock.wallIso(), by, reason, policy, outcome };
    await ledger.update({
      setAside: ledger.state.setAside.map((entry) =>
        entry.epoch === kept.epoch ? { ...entry, merged } : entry,
      ),
    });
    const { applied, present, conflicts } = outcome;
    record(
      'switch-step',
      `own data of epoch ${epoch} merged by ${by} (${policy}): ${applied} applied, ${present} there already, ${conflicts} conflicts: ${reason}`,
    );
  }

  private find(epoch: number): DivergedSummary {
    const found = this.list().find((entry) => entry.epoch === epoch);
    if (found !== undefined) return found;
    throw new SkippedError(
      'NOT_SET_ASIDE',
      `Nothing of epoch ${epoch} is set aside here. \`failover merge --list\` says what is.`,
    );
  }
}

/** Writes that wait for somebody to decide about them. */
export function unmergedWrites(sets: readonly DivergedSummary[]): number {
  return sets
    .filter(({ merged }) => merged === null)
    .reduce((sum, { counts }) => sum + (counts === null ? 0 : total(counts)), 0);
}

function total(counts: NonNullable<DivergedSummary['counts']>): number {
  return counts.inserted + counts.changed + counts.deleted + counts.unknown + counts.collections;
}

async function readLines(file: FileHandle, offset: number): Promise<DivergedPageResponse> {
  const { size } = await file.stat();
  for (let bytes = PAGE_BYTES; ; bytes *= 2) {
    const buffer = Buffer.alloc(Math.min(bytes, Math.max(0, size - offset)));
    await file.read(buffer, 0, buffer.length, offset);
    const end = buffer.lastIndexOf('\n') + 1;
    if (end === 0 && offset + buffer.length < size) continue;
    const lines = buffer.toString('utf8', 0, end).split('\n').slice(0, -1);
    return { lines, next: offset + end >= size ? null : offset + end };
  }
}

/** One backup repository per site at the object store. A site writes its own only, and reads the other's without a lock. */
import { z } from 'zod';
import {
  RepositoryDamagedError,
  RepositoryError,
  RepositoryLockedError,
  RepositoryMissingError,
  type Message,
  type Restic,
} from './command';

const BackupSummary = z.object({
  message_type: z.literal('summary'),
  snapshot_id: z.string().regex(/^[0-9a-f]{64}$/),
  data_added_packed: z.number(),
});
const RestoreSummary = z.object({
  message_type: z.literal('summary'),
  bytes_restored: z.number().default(0),
});
const Status = z.object({
  bytes_done: z.number().optional(),
  bytes_restored: z.number().optional(),
  total_bytes: z.number(),
});
const Snapshot = z.object({ id: z.string(), tags: z.array(z.string()).optional() });

/** Told every second or so while something goes on. */
export type Progress = (done: number, total: number) => void;

export interface RestoreOptions {
  /** Files with the snapshot's size and time are taken for unchanged without being read. */
  readonly trust: boolean;
  /** Folders of the snapshot; everything when absent. */
  readonly only?: readonly string[];
  readonly signal?: AbortSignal | undefined;
  readonly progress?: Progress;
}

export interface Backup {
  readonly snapshot: string;
  /** What had not been in the repository before. */
  readonly bytesAdded: number;
}

export class Repository {
  constructor(
    private readonly restic: Pick<Restic, 'run'>,
    private readonly site: string,
  ) {}

  /**
   * Everything in the folder as one snapshot, made with the repository where there is none. Contents are compared, not
   * times: those that come out of a shard's snapshot are cut to a second.
   */
  async backup(folder: string, tag: string, progress: Progress = ignore): Promise<Backup> {
    const args = ['backup', '--force', '--no-scan', '--host', this.site, '--tag', tag, '.'];
    const onMessage = reportTo(progress);
    const run = () => this.restic.run(this.site, args, { cwd: folder, onMessage });
    const messages = await run().catch(async (error: unknown) => {
      if (error instanceof RepositoryMissingError) await this.restic.run(this.site, ['init']);
      else if (error instanceof RepositoryLockedError) await this.unlock();
      else if (error instanceof RepositoryDamagedError) await this.mend();
      else throw error;
      return run();
    });
    const summary = find(messages, BackupSummary);
    if (summary === undefined)
      throw new RepositoryError(
        `restic backup on ${this.site}'s repository ended without a summary. Publish again.`,
      );
    return { snapshot: summary.snapshot_id, bytesAdded: summary.data_added_packed };
  }

  /**
   * Makes a folder what a snapshot of any site's repository holds, fetching only what differs.
   *
   * @returns bytes of files and parts of files that were written
   */
  async restore(
    site: string,
    snapshot: string,
    folder: string,
    { trust, only, signal, progress = ignore }: RestoreOptions,
  ): Promise<number> {
    const overwrite = trust ? 'if-changed' : 'always';
    const args = [
      '--no-lock',
      'restore',
      snapshot,
      '--target',
      folder,
      '--overwrite',
      overwrite,
      ...(only === undefined ? ['--delete'] : only.flatMap((path) => ['--include', path])),
      '--sparse',
    ];
    const messages = await this.restic.run(site, args, { signal, onMessage: reportTo(progress) });
    return find(messages, RestoreSummary)?.bytes_restored ?? 0;
  }

  /**
   * Drops every snapshot without one of these tags, and what only they needed. This looks at everything that is stored, so
   * it is where a loss shows: the error says so, and the backup after it stores again what is missing.
   */
  async retain(tags: ReadonlySet<string>, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.unlock();
    const messages = await this.restic.run(this.site, ['--no-lock', 'snapshots']);
    const surplus = messages
      .map((message) => Snapshot.parse(message))
      .filter((snapshot) => !snapshot.tags?.some((tag) => tags.has(tag)))
      .map(({ id }) => id);
    if (surplus.length === 0) return;
    try {
      await this.restic.run(this.site, ['forget', '--prune', ...surplus], { signal });
    } catch (error) {
      if (error instanceof RepositoryDamagedError) await this.mend();
      throw error;
    }
  }

  /** A backup that was cut short has left packs that no index lists: from now on they count as stored. */
  async adopt(): Promise<void> {
    try {
      await this.unlock();
      await this.mend();
    } catch (error) {
      if (!(error instanceof RepositoryMissingError)) throw error;
    }
  }

  /** Strikes from the index what is not there any more, and adds what it lacks: a backup stores whatever the index does not list. */
  private async mend(): Promise<void> {
    await this.restic.run(this.site, ['repair', 'index']);
  }

  /** Locks whose process is gone; nobody else's. */
  private async unlock(): Promise<void> {
    await this.restic.run(this.site, ['unlock']);
  }
}

function find<T extends z.ZodType>(messages: readonly Message[], schema: T): z.output<T> | undefined {
  for (const message of messages) {
    const parsed = schema.safeParse(message);
    if (parsed.success) return parsed.data;
  }
  return undefined;
}

function ignore(): void {
  /* nobody asked to be told */
}

function reportTo(progress: Progress): (message: Message) => void {
  return (message) => {
    const status = Status.safeParse(message);
    if (!status.success) return;
    const { bytes_done: sent, bytes_restored: restored, total_bytes: total } = status.data;
    progress(sent ?? restored ?? 0, total);
  };
}

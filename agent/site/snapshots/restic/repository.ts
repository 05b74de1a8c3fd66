/** One backup repository per site at the object store. A site writes its own only, and reads the other's without a lock. */
import { z } from 'zod';
import type { RunOptions } from './command';
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
const Snapshot = z.object({ id: z.string(), tags: z.array(z.string()).optional() });

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
  async backup(folder: string, tag: string): Promise<Backup> {
    const args = ['backup', '--force', '--no-scan', '--host', this.site, '--tag', tag, '.'];
    const run = () => this.restic.run(this.site, args, { cwd: folder });
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
   * @param trust files with the snapshot's size and time are taken for unchanged without being read
   */
  async restore(
    site: string,
    snapshot: string,
    folder: string,
    { trust, ...options }: RunOptions & { readonly trust: boolean },
  ): Promise<void> {
    const overwrite = trust ? 'if-changed' : 'always';
    const args = [
      '--no-lock',
      'restore',
      snapshot,
      '--target',
      folder,
      '--overwrite',
      overwrite,
      '--delete',
      '--sparse',
    ];
    await this.restic.run(site, args, options);
  }

  /**
   * Drops every snapshot without one of these tags, and what only they needed. This looks at everything that is stored, so
   * it is where a loss shows: the error says so, and the backup after it stores again what is missing.
   */
  async retain(tags: ReadonlySet<string>): Promise<void> {
    await this.unlock();
    const messages = await this.restic.run(this.site, ['--no-lock', 'snapshots']);
    const surplus = messages
      .map((message) => Snapshot.parse(message))
      .filter((snapshot) => !snapshot.tags?.some((tag) => tags.has(tag)))
      .map(({ id }) => id);
    if (surplus.length === 0) return;
    try {
      await this.restic.run(this.site, ['forget', '--prune', ...surplus]);
    } catch (error) {
      if (error instanceof RepositoryDamagedError) await this.mend();
      throw error;
    }
  }

  /** Strikes from the index what is not there any more: a backup stores whatever the index does not list. */
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

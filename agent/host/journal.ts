import { z } from 'zod';
import { SECTIONS, type SectionName } from '../../infra/contract/site-spec';
import { JournalCorruptError } from './errors';
import { JOURNAL_PATH, STATE_DIRECTORY } from './paths';
import type { HostPort } from './port';

/**
 * What apply created or replaced, so that remove leaves the server as it was found. An entry is on disk before the thing
 * it names exists: a kill between the two leaves an entry for nothing, never something without an entry.
 */
const Entry = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('file'),
    path: z.string(),
    /** What was there before us. */
    previous: z
      .object({ contentBase64: z.string(), mode: z.number(), uid: z.number(), gid: z.number() })
      .optional(),
  }),
  /** Goes when empty. */
  z.object({ kind: z.literal('directory'), path: z.string() }),
  /** Data: goes with all that is in it, and only by `remove`. */
  z.object({ kind: z.literal('tree'), path: z.string() }),
  z.object({ kind: z.literal('symlink'), path: z.string() }),
  z.object({ kind: z.literal('unit'), name: z.string() }),
  z.object({ kind: z.literal('user'), name: z.string() }),
  /** `installed` includes the dependencies that came along; nothing that was there before. */
  z.object({
    kind: z.literal('packages'),
    requested: z.array(z.string()),
    installed: z.array(z.string()),
  }),
  z.object({ kind: z.literal('nft-table'), family: z.string(), table: z.string() }),
]);
export type JournalEntry = z.output<typeof Entry>;
export type PackagesEntry = Extract<JournalEntry, { kind: 'packages' }>;

const JournalDocument = z.object({
  version: z.literal(1),
  sections: z.partialRecord(z.enum(SECTIONS), z.array(Entry)),
});
type JournalDocument = z.output<typeof JournalDocument>;

/** Two entries that name the same thing. */
export function sameThing(a: JournalEntry, b: JournalEntry): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'file':
    case 'directory':
    case 'tree':
    case 'symlink':
      return 'path' in b && a.path === b.path;
    case 'unit':
    case 'user':
      return 'name' in b && a.name === b.name;
    case 'nft-table':
      return 'table' in b && a.table === b.table && a.family === b.family;
    case 'packages':
      return false;
  }
}

export class Journal {
  private constructor(
    private readonly host: HostPort,
    private document: JournalDocument,
  ) {}

  static async open(host: HostPort): Promise<Journal> {
    const content = await host.readFile(JOURNAL_PATH);
    if (content === null) return new Journal(host, { version: 1, sections: {} });
    let json: unknown;
    try {
      json = JSON.parse(content.toString('utf8'));
    } catch (error) {
      throw new JournalCorruptError(`${JOURNAL_PATH} is not JSON: restore it from a backup`, {
        cause: error,
      });
    }
    const parsed = JournalDocument.safeParse(json);
    if (!parsed.success) {
      throw new JournalCorruptError(
        `${JOURNAL_PATH} is not a journal of this version (${z.prettifyError(parsed.error)}): ` +
          'use the release that wrote it, or restore it from a backup',
      );
    }
    return new Journal(host, parsed.data);
  }

  entries(section: SectionName): readonly JournalEntry[] {
    return this.document.sections[section] ?? [];
  }

  sections(): SectionName[] {
    return SECTIONS.filter((section) => this.entries(section).length > 0);
  }

  find(wanted: JournalEntry): JournalEntry | undefined {
    return this.sections()
      .flatMap((section) => this.entries(section))
      .find((entry) => sameThing(entry, wanted));
  }

  /** True when another section holds the same thing, so that it must stay. */
  heldElsewhere(section: SectionName, wanted: JournalEntry): boolean {
    return this.sections()
      .filter((other) => other !== section)
      .some((other) => this.entries(other).some((entry) => sameThing(entry, wanted)));
  }

  async record(section: SectionName, entry: JournalEntry): Promise<void> {
    const mine = this.entries(section);
    if (mine.some((existing) => sameThing(existing, entry))) return;
    // What was there before us is known to whoever came first.
    await this.store(section, [...mine, this.find(entry) ?? entry]);
  }

  async forget(section: SectionName, entry: JournalEntry): Promise<void> {
    await this.store(
      section,
      this.entries(section).filter((existing) => existing !== entry),
    );
  }

  async replace(section: SectionName, from: JournalEntry, to: JournalEntry): Promise<void> {
    await this.store(
      section,
      this.entries(section).map((entry) => (entry === from ? to : entry)),
    );
  }

  private async store(section: SectionName, entries: readonly JournalEntry[]): Promise<void> {
    const sections = { ...this.document.sections };
    if (entries.length === 0) delete sections[section];
    else sections[section] = [...entries];
    this.document = { version: 1, sections };
    if (Object.keys(sections).length === 0) {
      await this.host.removeFile(JOURNAL_PATH);
      return;
    }
    await this.host.makeDirectory(STATE_DIRECTORY);
    await this.host.writeFile(
      JOURNAL_PATH,
      Buffer.from(`${JSON.stringify(this.document, null, 1)}\n`),
      0o600,
    );
  }
}

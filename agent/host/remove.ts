import type { SectionName } from '../../infra/contract/site-spec';
import { Converger, type ChangeLog } from './converge';
import { Journal, type JournalEntry, type PackagesEntry } from './journal';
import { purgePackages } from './packages';
import { ARTIFACTS_DIRECTORY, CONFIG_DIRECTORY, STAMPS_DIRECTORY, STATE_DIRECTORY } from './paths';
import type { HostPort } from './port';
import { forgetStamp } from './service';

export interface RemoveOptions {
  /** Leaves folders of data and the users that they belong to, still in the journal: a remove without this takes them. */
  readonly keepData?: boolean;
}

/**
 * Undoes what apply journalled for one section, newest first; what another section holds too stays. An entry is forgotten
 * only after its thing is gone, so that a remove which was cut short can be repeated.
 */
export async function remove(
  host: HostPort,
  section: SectionName,
  log: ChangeLog,
  options: RemoveOptions = {},
): Promise<number> {
  const journal = await Journal.open(host);
  let changes = 0;
  const counting: ChangeLog = {
    change(what) {
      changes += 1;
      log.change(what);
    },
  };
  const converger = new Converger(host, journal, section, counting);
  const all = journal.entries(section);
  const kept = options.keepData ? dataOf(all) : [];
  const entries = all.filter((entry) => !kept.includes(entry)).reverse();
  await stopUnits(converger, entries);
  for (const entry of entries) {
    if (entry.kind === 'packages') await removePackages(converger, entry);
    else if (!journal.heldElsewhere(section, entry)) await undo(converger, entry);
    if (entry.kind !== 'unit') await journal.forget(section, entry);
  }
  const units = entries.filter((entry) => entry.kind === 'unit');
  if (units.length > 0) {
    await host.run('systemctl', ['daemon-reload']);
    for (const unit of units) {
      await host.run('systemctl', ['reset-failed', unit.name]);
      await journal.forget(section, unit);
    }
  }
  if (journal.sections().length === 0) {
    await host.removeTree(STAMPS_DIRECTORY);
    for (const directory of [ARTIFACTS_DIRECTORY, STATE_DIRECTORY, CONFIG_DIRECTORY]) {
      await host.removeEmptyDirectory(directory);
    }
  }
  return changes;
}

/** Of a section. A user stays even without a folder of ours: a disk may hold data of its, and numbers are given anew. */
function dataOf(entries: readonly JournalEntry[]): JournalEntry[] {
  const folders = entries.flatMap((entry) =>
    // Programs are fetched again.
    entry.kind === 'tree' && !isWithin(entry.path, ARTIFACTS_DIRECTORY) ? [entry.path] : [],
  );
  return entries.filter((entry) => {
    if (entry.kind === 'user') return true;
    if (!('path' in entry)) return false;
    const { kind, path } = entry;
    return folders.some(
      (folder) => isWithin(path, folder) || (kind === 'directory' && isWithin(folder, path)),
    );
  });
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** All at once and first, so that nothing runs on files that are going away. */
async function stopUnits(converger: Converger, entries: readonly JournalEntry[]): Promise<void> {
  for (const entry of entries) {
    if (entry.kind !== 'unit' || converger.journal.heldElsewhere(converger.section, entry)) continue;
    const known = await converger.host.run('systemctl', ['cat', entry.name]);
    if (known.code === 0) {
      await converger.command('systemctl', ['disable', '--now', '--quiet', entry.name], {
        timeoutSeconds: 900,
        what: `stopping ${entry.name}`,
      });
      converger.changed(`stopped ${entry.name}`);
    }
    await forgetStamp(converger.host, entry.name);
  }
}

async function undo(converger: Converger, entry: JournalEntry): Promise<void> {
  const { host } = converger;
  switch (entry.kind) {
    case 'file': {
      if (entry.previous !== undefined) {
        const { contentBase64, mode, uid, gid } = entry.previous;
        await host.writeFile(entry.path, Buffer.from(contentBase64, 'base64'), mode, { uid, gid });
        converger.changed(`put back ${entry.path}`);
      } else if ((await host.stat(entry.path)) !== null) {
        await host.removeFile(entry.path);
        converger.changed(`removed ${entry.path}`);
      }
      return;
    }
    case 'symlink':
      if ((await host.stat(entry.path))?.kind === 'symlink') {
        await host.removeFile(entry.path);
        converger.changed(`removed ${entry.path}`);
      }
      return;
    case 'directory':
      if ((await host.stat(entry.path)) !== null && (await host.removeEmptyDirectory(entry.path))) {
        converger.changed(`removed ${entry.path}`);
      }
      return;
    case 'tree':
      if ((await host.stat(entry.path)) !== null) {
        await host.removeTree(entry.path);
        converger.changed(`removed ${entry.path} with its data`);
      }
      return;
    case 'user':
      if ((await converger.findUser(entry.name)) !== null) {
        await converger.command('userdel', [entry.name], { what: `deleting the user ${entry.name}` });
        converger.changed(`deleted the system user ${entry.name}`);
      }
      return;
    case 'nft-table': {
      const { family, table } = entry;
      if ((await host.run('nft', ['list', 'table', family, table])).code === 0) {
        await converger.command('nft', ['delete', 'table', family, table]);
        converger.changed(`deleted the table ${family} ${table}`);
      }
      return;
    }
    case 'unit':
    case 'packages':
      return;
  }
}

/** What others need stays, and is theirs from then on. */
async function removePackages(converger: Converger, entry: PackagesEntry): Promise<void> {
  const { host, journal } = converger;
  const others = journal.sections().flatMap((section) =>
    journal
      .entries(section)
      .filter((other): other is PackagesEntry => other.kind === 'packages' && other !== entry)
      .map((other) => ({ section, other })),
  );
  const needed = new Set(others.flatMap(({ other }) => other.requested));
  const { purged, kept } = await purgePackages(
    host,
    (command, args, options) => converger.command(command, args, options),
    entry.requested.filter((name) => !needed.has(name)),
    entry.installed.filter((name) => !needed.has(name)),
  );
  if (purged.length > 0) converger.changed(`purged ${purged.join(', ')}`);
  if (kept.length > 0) converger.changed(`left ${kept.join(', ')}, which other software now needs`);
  const left = entry.installed.filter((name) => !purged.includes(name));
  const heir = others[0];
  if (heir === undefined || left.length === 0) return;
  const installed = [...heir.other.installed, ...left.filter((name) => !heir.other.installed.includes(name))];
  await journal.replace(heir.section, heir.other, { ...heir.other, installed });
}

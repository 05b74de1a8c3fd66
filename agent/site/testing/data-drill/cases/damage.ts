/**
 * What is in the store is damaged, cut short or gone. The standby refuses it and keeps what it has; the next publish mends
 * it, or does once a person has done what the refusal says.
 */
import {
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from '../../../snapshots/manifest';
import type { CaseContext, DataCase, Happened } from '../data-case';

const BY_PUBLISH = 'mended by the next publish';
const BY_REMOVAL = 'mended by removing it and publishing';

interface Damage {
  readonly name: string;
  readonly make: (drill: CaseContext, publishId: string) => void;
  readonly refused: string;
  readonly mended: string;
  /** What a person removes when publishing does not help, relative to what the holder's site has in the store. */
  readonly remove: string;
}

type Harm = (path: string) => void;

const REPOSITORY = 'restic';

const inStore = ({ world, holder }: CaseContext, key: string): string =>
  world.storePath(`${holder.name}/${key}`);
const newestOf =
  (kind: 'data' | 'index' | 'snapshots', harm: Harm): Damage['make'] =>
  (drill) =>
    harm(filesIn(inStore(drill, `${REPOSITORY}/${kind}`))[0] ?? '');
const manifest =
  (harm: Harm): Damage['make'] =>
  (drill, id) =>
    harm(inStore(drill, `publishes/${id}/manifest.json`));
const pointer =
  (harm: Harm): Damage['make'] =>
  ({ world }) =>
    harm(world.storePath('latest'));
const mendedByPublish = (name: string, refused: string, make: Damage['make']): Damage => {
  return { name, make, refused, mended: BY_PUBLISH, remove: '' };
};

const DAMAGES: readonly Damage[] = [
  mendedByPublish('newest part damaged', 'REPOSITORY_FAILED', newestOf('data', flip)),
  mendedByPublish('newest part cut short', 'REPOSITORY_FAILED', newestOf('data', cut)),
  mendedByPublish('newest part missing', 'REPOSITORY_FAILED', newestOf('data', remove)),
  {
    name: 'every part damaged, and the standby has none of them',
    make: (drill) => {
      rmSync(drill.standby.fetchedParts, { recursive: true });
      for (const file of filesIn(inStore(drill, `${REPOSITORY}/data`))) flip(file);
    },
    ...{ refused: 'REPOSITORY_FAILED', mended: BY_REMOVAL, remove: REPOSITORY },
  },
  mendedByPublish('index of the parts missing', 'REPOSITORY_FAILED', newestOf('index', remove)),
  mendedByPublish('list of the parts missing', 'REPOSITORY_FAILED', newestOf('snapshots', remove)),
  mendedByPublish('manifest missing', 'PUBLISH_MISSING', manifest(remove)),
  mendedByPublish('manifest cut short', 'MANIFEST_INVALID', manifest(cut)),
  mendedByPublish('manifest of other parts', 'PART_CORRUPT', manifest(otherDigest)),
  mendedByPublish('pointer missing', 'NOTHING_PUBLISHED', pointer(remove)),
  {
    name: 'pointer damaged',
    make: pointer((path) => writeFileSync(path, 'no pointer')),
    ...{ refused: 'POINTER_INVALID', mended: BY_REMOVAL, remove: '../latest' },
  },
];

export const DAMAGE: readonly DataCase[] = DAMAGES.map((damage) => ({
  name: `in the store: ${damage.name}`,
  group: 'damage',
  expected: [`${damage.refused}; ${damage.mended}`],
  run: (drill) => damaged(drill, damage),
}));

async function damaged(drill: CaseContext, damage: Damage): Promise<Happened> {
  const { world, holder, standby, count } = drill;
  const id = await world.published(holder);
  damage.make(drill, id);
  const { code } = await standby.apply();
  count(`at ${standby.name}, which refused`, await world.missing(standby));
  let mended = BY_PUBLISH;
  const again = await world.publish(holder);
  if (again.code !== 'ok' || (await standby.apply()).code !== 'ok') {
    mended = BY_REMOVAL;
    if (damage.remove === '') throw new Error(`the next publish does not mend it: ${again.code}`);
    rmSync(inStore(drill, damage.remove), { recursive: true });
  }
  return { step: 'published, then damaged', outcome: `${code}; ${mended}` };
}

/** Anywhere below the folder, the one written last first. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
}

function flip(path: string): void {
  const content = readFileSync(path);
  // In the first blob: the end of the file is its table.
  for (let at = 0; at < Math.min(64, content.length); at += 1) content[at] = (content[at] ?? 0) ^ 0xff;
  writeFileSync(path, content);
}

function cut(path: string): void {
  truncateSync(path, Math.floor(statSync(path).size / 2));
}

function remove(path: string): void {
  if (!existsSync(path)) throw new Error(`${path} is not there to be removed`);
  rmSync(path);
}

function otherDigest(path: string): void {
  const stored = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const collections = stored.collections.map((collection) => ({
    ...collection,
    shards: collection.shards.map((shard) => ({ ...shard, sha256: '0'.repeat(64) })),
  }));
  writeFileSync(path, JSON.stringify({ ...stored, collections }));
}

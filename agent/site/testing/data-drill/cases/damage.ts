/**
 * What is in the store is damaged, cut short or gone. The standby refuses it and keeps what it has; publishing mends it, or
 * does once a person has done what the refusal says.
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

const PUBLISHES_TO_MEND = 3;
const BY_PUBLISH = 'mended by publishing';
const BY_REMOVAL = 'mended by removing it and publishing';

interface Damage {
  readonly name: string;
  readonly make: (drill: CaseContext, publishId: string) => void;
  readonly refused: string;
  readonly mended: readonly string[];
  /** What a person removes when publishing does not help, relative to what the holder's site has in the store. */
  readonly remove: string;
}

type Harm = (path: string) => void;

const REPOSITORY = 'restic';

const inStore = ({ world, holder }: CaseContext, key: string): string =>
  world.storePath(`${holder.name}/${key}`);
const newestOf =
  (kind: 'index' | 'snapshots', harm: Harm): Damage['make'] =>
  (drill) =>
    harm(filesIn(inStore(drill, `${REPOSITORY}/${kind}`))[0] ?? '');
/** The standby keeps most of what it fetched: only one that has nothing needs every part. */
const everyPart =
  (harm: Harm): Damage['make'] =>
  (drill) => {
    rmSync(drill.standby.fetchedParts, { recursive: true });
    for (const file of filesIn(inStore(drill, `${REPOSITORY}/data`))) harm(file);
  };
const manifest =
  (harm: Harm): Damage['make'] =>
  (drill, id) =>
    harm(inStore(drill, `publishes/${id}/manifest.json`));
const pointer =
  (harm: Harm): Damage['make'] =>
  ({ world }) =>
    harm(world.storePath('latest'));
const mendedByPublish = (name: string, refused: string, make: Damage['make']): Damage => {
  return { name, make, refused, mended: [BY_PUBLISH], remove: '' };
};

const DAMAGES: readonly Damage[] = [
  {
    ...{ name: 'every part damaged', make: everyPart(flip), refused: 'REPOSITORY_DAMAGED' },
    ...{ mended: [BY_REMOVAL], remove: REPOSITORY },
  },
  // Pruning finds what is not there or too short, whenever it comes.
  {
    ...{ name: 'every part cut short', make: everyPart(cut), refused: 'REPOSITORY_DAMAGED' },
    ...{ mended: [BY_PUBLISH, BY_REMOVAL], remove: REPOSITORY },
  },
  {
    ...{ name: 'every part missing', make: everyPart(remove), refused: 'REPOSITORY_DAMAGED' },
    ...{ mended: [BY_PUBLISH, BY_REMOVAL], remove: REPOSITORY },
  },
  mendedByPublish('index of the parts missing', 'REPOSITORY_DAMAGED', newestOf('index', remove)),
  mendedByPublish('list of the parts missing', 'REPOSITORY_DAMAGED', newestOf('snapshots', remove)),
  mendedByPublish('manifest missing', 'PUBLISH_MISSING', manifest(remove)),
  mendedByPublish('manifest cut short', 'MANIFEST_INVALID', manifest(cut)),
  mendedByPublish('manifest of other parts', 'PART_CORRUPT', manifest(otherDigest)),
  mendedByPublish('pointer missing', 'NOTHING_PUBLISHED', pointer(remove)),
  {
    name: 'pointer damaged',
    make: pointer((path) => writeFileSync(path, 'no pointer')),
    ...{ refused: 'POINTER_INVALID', mended: [BY_REMOVAL], remove: '../latest' },
  },
];

export const DAMAGE: readonly DataCase[] = DAMAGES.map((damage) => ({
  name: `in the store: ${damage.name}`,
  group: 'damage',
  expected: damage.mended.map((mended) => `${damage.refused}; ${mended}`),
  run: (drill) => damaged(drill, damage),
}));

async function damaged(drill: CaseContext, damage: Damage): Promise<Happened> {
  const { world, holder, standby, count } = drill;
  const id = await world.published(holder);
  damage.make(drill, id);
  const { code } = await standby.apply();
  const happened = (mended: string): Happened => {
    return { step: 'published, then damaged', outcome: `${code}; ${mended}` };
  };
  count(`at ${standby.name}, which refused`, await world.missing(standby));
  if (await isMended(drill)) return happened(BY_PUBLISH);
  if (damage.remove === '') return happened('not mended');
  rmSync(inStore(drill, damage.remove), { recursive: true });
  return happened(BY_REMOVAL);
}
/** By publishing alone: pruning after the first finds what is missing, the second stores it again. */
async function isMended({ world, holder, standby }: CaseContext): Promise<boolean> {
  for (let attempt = 1; attempt <= PUBLISHES_TO_MEND; attempt += 1) {
    const published = await world.publish(holder);
    if (published.code === 'ok' && (await standby.apply()).code === 'ok') return true;
  }
  return false;
}

/** Anywhere below the folder, the one written last first. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
}

/** Other bytes, as many: nothing but reading it all tells. */
export function flip(path: string): void {
  writeFileSync(path, Buffer.from(readFileSync(path).map((byte) => byte ^ 0xff)));
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

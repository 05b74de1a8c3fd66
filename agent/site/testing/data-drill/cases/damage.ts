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
import type { DrillWorld } from '../drill-world';

const BY_PUBLISH = 'mended by the next publish';
const BY_REMOVAL = 'mended by removing it and publishing';

interface Damage {
  readonly name: string;
  /** Relative to what the holder's site has in the store. */
  readonly make: (site: string, publishId: string, world: DrillWorld) => void;
  readonly refused: string;
  readonly mended: string;
  /** What a person removes when publishing does not help, as the refusal says. */
  readonly remove: string;
}

const REPOSITORY = 'restic';

const pack = (damage: (path: string) => void): Damage['make'] => {
  return (site, _id, world) => damage(newest(world.storePath(`${site}/${REPOSITORY}/data`)));
};
const repository = (name: string, damage: (path: string) => void): Damage['make'] => {
  return (site, _id, world) => damage(newest(world.storePath(`${site}/${REPOSITORY}/${name}`)));
};
const manifest = (damage: (path: string) => void): Damage['make'] => {
  return (site, id, world) => damage(world.storePath(`${site}/publishes/${id}/manifest.json`));
};
const pointer = (damage: (path: string) => void): Damage['make'] => {
  return (_site, _id, world) => damage(world.storePath('latest'));
};

const DAMAGES: readonly Damage[] = [
  {
    name: 'part damaged',
    make: pack(flip),
    refused: 'REPOSITORY_FAILED',
    mended: BY_REMOVAL,
    remove: REPOSITORY,
  },
  {
    name: 'part cut short',
    make: pack(cut),
    refused: 'REPOSITORY_FAILED',
    mended: BY_REMOVAL,
    remove: REPOSITORY,
  },
  {
    name: 'part missing',
    make: pack(remove),
    refused: 'REPOSITORY_FAILED',
    mended: BY_REMOVAL,
    remove: REPOSITORY,
  },
  {
    ...{ name: 'index of the parts missing', make: repository('index', remove) },
    ...{ refused: 'REPOSITORY_FAILED', mended: BY_PUBLISH, remove: REPOSITORY },
  },
  {
    ...{ name: 'list of the parts missing', make: repository('snapshots', remove) },
    ...{ refused: 'REPOSITORY_FAILED', mended: BY_PUBLISH, remove: REPOSITORY },
  },
  {
    ...{ name: 'manifest missing', make: manifest(remove) },
    ...{ refused: 'PUBLISH_MISSING', mended: BY_PUBLISH, remove: '' },
  },
  {
    ...{ name: 'manifest cut short', make: manifest(cut) },
    ...{ refused: 'MANIFEST_INVALID', mended: BY_PUBLISH, remove: '' },
  },
  {
    ...{ name: 'manifest of other parts', make: manifest(otherDigest) },
    ...{ refused: 'PART_CORRUPT', mended: BY_PUBLISH, remove: '' },
  },
  {
    ...{ name: 'pointer missing', make: pointer(remove) },
    ...{ refused: 'NOTHING_PUBLISHED', mended: BY_PUBLISH, remove: '' },
  },
  {
    ...{ name: 'pointer damaged', make: pointer((path) => writeFileSync(path, 'no pointer')) },
    ...{ refused: 'POINTER_INVALID', mended: BY_REMOVAL, remove: '../latest' },
  },
];

export const DAMAGE: readonly DataCase[] = DAMAGES.map((damage) => ({
  name: `in the store: ${damage.name}`,
  group: 'damage',
  expected: [`${damage.refused}; ${damage.mended}`],
  run: (drill) => damaged(drill, damage),
}));

async function damaged({ world, holder, standby, count }: CaseContext, damage: Damage): Promise<Happened> {
  const id = await world.published(holder);
  damage.make(holder.name, id, world);
  const { code } = await standby.apply();
  count(`at ${standby.name}, which refused`, await world.missing(standby));
  let mended = BY_PUBLISH;
  const again = await world.publish(holder);
  if (again.code !== 'ok' || (await standby.apply()).code !== 'ok') {
    mended = BY_REMOVAL;
    rmSync(world.storePath(join(holder.name, damage.remove)), { recursive: true });
  }
  return { step: 'published, then damaged', outcome: `${code}; ${mended}` };
}

/** The file that was written last, anywhere below. */
function newest(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  const [file] = files;
  if (file === undefined) throw new Error(`nothing is stored in ${folder}`);
  return file;
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

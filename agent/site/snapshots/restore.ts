/**
 * Puts a staged publish into Qdrant: collections, shards one by one, aliases, indexes; and says whether the result is
 * what the publisher had. May be run again after being cut short anywhere.
 */
import { AgentError } from '../../shared/errors';
import type { QdrantClient } from '../qdrant/client';
import type { AliasDescription } from '../qdrant/types';
import {
  creationBody,
  indexSchema,
  sameIndex,
  sameSettings,
  sameStructure,
  updateBody,
} from './collection-config';
import type { Manifest, ManifestCollection } from './manifest';
import { compareSamples } from './samples';
import { hasTooFew, replicasWhole } from './replicas';
import type { Staging } from './staging';

export class RestoreUnfitError extends AgentError {
  readonly code = 'RESTORE_UNFIT';
}

export class RestoreVerificationError extends AgentError {
  readonly code = 'RESTORE_UNVERIFIED';
  constructor(
    publishId: string,
    readonly differences: readonly string[],
  ) {
    super(`${publishId} was restored and is not what was published: ${differences.join('; ')}.`);
  }
}

export const RESTORE_STEPS = [
  'collection-ready',
  'shard-recovered',
  'indexes-restored',
  'vanished-removed',
  'aliases-restored',
  'verified',
] as const;
export type RestoreStep = (typeof RESTORE_STEPS)[number];

export interface RestorePorts {
  readonly qdrant: QdrantClient;
  readonly staging: Pick<Staging, 'show'>;
  /** Throws when this site may no longer be written over; asked before every touch. */
  readonly guard: () => void;
  readonly step: (step: RestoreStep) => Promise<void>;
  /** Of each shard, where this site has several servers. */
  readonly replicas?: number;
}

export async function restore(manifest: Manifest, ports: RestorePorts): Promise<void> {
  const { qdrant, guard, step } = ports;
  const existing = await qdrant.collectionNames();
  guard();
  await freeNames(qdrant, manifest);
  for (const collection of manifest.collections) {
    await restoreCollection(manifest.id, collection, ports, existing.includes(collection.name));
  }
  const published = new Set(manifest.collections.map((collection) => collection.name));
  for (const name of existing) {
    if (published.has(name)) continue;
    guard();
    await qdrant.deleteCollection(name);
  }
  await step('vanished-removed');
  guard();
  await restoreAliases(qdrant, manifest);
  await step('aliases-restored');
  const differences = await compare(manifest, qdrant);
  if (differences.length > 0) throw new RestoreVerificationError(manifest.id, differences);
  await step('verified');
}

/** One collection of a publish, with its indexes and without its aliases. */
export async function restoreCollection(
  publishId: string,
  collection: ManifestCollection,
  ports: RestorePorts,
  exists = false,
): Promise<void> {
  const { qdrant, guard, step } = ports;
  guard();
  await readyCollection(ports, collection, exists);
  await step('collection-ready');
  await recoverShards(publishId, collection, ports);
  await replicasWhole(collection.name, ports);
  guard();
  await restoreIndexes(qdrant, collection);
  await step('indexes-restored');
}

/** A restore that returned without an error proves nothing: count, read and ask. */
export async function compare(manifest: Manifest, qdrant: QdrantClient): Promise<string[]> {
  const differences: string[] = [];
  const names = await qdrant.collectionNames();
  const wanted = manifest.collections.map((collection) => collection.name).sort();
  if (names.join('\n') !== wanted.join('\n')) {
    differences.push(`collections should be [${wanted.join(', ')}] and are [${names.join(', ')}]`);
  }
  const aliases = sortedAliases(await qdrant.aliases());
  const wantedAliases = sortedAliases(aliasesOf(manifest));
  if (aliases.join('\n') !== wantedAliases.join('\n')) {
    differences.push(`aliases should be [${wantedAliases.join(', ')}] and are [${aliases.join(', ')}]`);
  }
  for (const collection of manifest.collections) {
    if (names.includes(collection.name)) differences.push(...(await compareCollection(collection, qdrant)));
  }
  return differences;
}

/** One sentence for each thing that is not as the manifest says. */
export async function compareCollection(
  collection: ManifestCollection,
  qdrant: QdrantClient,
): Promise<string[]> {
  const { name, pointsMin, pointsMax } = collection;
  const differences: string[] = [];
  const count = await qdrant.count(name);
  if (count < pointsMin || count > pointsMax) {
    const wanted = pointsMin === pointsMax ? `${pointsMin}` : `${pointsMin} to ${pointsMax}`;
    differences.push(`${name}: ${wanted} points were published, ${count} are here`);
  }
  const { payload_schema: schema } = await qdrant.collection(name);
  for (const [field, wanted] of Object.entries(collection.payloadSchema)) {
    const index = schema[field];
    if (index?.data_type !== wanted.data_type)
      differences.push(`${name}: no ${wanted.data_type} index on ${field}`);
  }
  differences.push(...(await compareSamples(qdrant, name, collection.samples)));
  return differences;
}

async function readyCollection(
  { qdrant, replicas }: RestorePorts,
  wanted: ManifestCollection,
  exists: boolean,
): Promise<void> {
  let present = exists;
  if (present) {
    const { config } = await qdrant.collection(wanted.name);
    if (!sameStructure(config, wanted.config) || (await hasTooFew(qdrant, wanted.name, replicas))) {
      await qdrant.deleteCollection(wanted.name);
      present = false;
    } else if (!sameSettings(config, wanted.config)) {
      // Recovery keeps the configuration that the collection has here.
      await qdrant.updateCollection(wanted.name, updateBody(wanted.config));
    }
  }
  if (!present) await qdrant.createCollection(wanted.name, creationBody(wanted.config, replicas));
  await readyShards(qdrant, wanted, present, replicas);
}

/** The shards must be the publisher's, by number and key: Qdrant takes a snapshot of the wrong one without a word. */
async function readyShards(
  qdrant: QdrantClient,
  wanted: ManifestCollection,
  existed: boolean,
  replicas: number | undefined,
): Promise<void> {
  const keys = new Set<string | number>();
  for (const { key } of wanted.shards) if (key !== null) keys.add(key);
  const has = async (): Promise<Map<number, string | number | null>> => {
    const { local } = await qdrant.shards(wanted.name);
    return new Map(local.map((shard) => [shard.shard_id, shard.shard_key ?? null]));
  };
  let shards = await has();
  if (!matches(shards, wanted) && keys.size > 0) {
    if (existed) {
      await qdrant.deleteCollection(wanted.name);
      await qdrant.createCollection(wanted.name, creationBody(wanted.config, replicas));
    }
    for (const key of keys) await qdrant.createShardKey(wanted.name, key);
    shards = await has();
  }
  if (!matches(shards, wanted)) {
    const show = (list: readonly (readonly [number, string | number | null])[]): string =>
      list.map(([id, key]) => (key === null ? `${id}` : `${id} (${key})`)).join(', ');
    throw new RestoreUnfitError(
      `${wanted.name}: the publisher's shards are ${show(wanted.shards.map((s) => [s.shardId, s.key] as const))}, ` +
        `here they are ${show([...shards])}. Delete the collection here and apply again.`,
    );
  }
}

function matches(shards: ReadonlyMap<number, string | number | null>, wanted: ManifestCollection): boolean {
  return (
    shards.size === wanted.shards.length &&
    wanted.shards.every((shard) => shards.has(shard.shardId) && shards.get(shard.shardId) === shard.key)
  );
}

async function recoverShards(
  publishId: string,
  collection: ManifestCollection,
  ports: RestorePorts,
): Promise<void> {
  for (const { shardId, sha256 } of collection.shards) {
    ports.guard();
    const shown = await ports.staging.show(publishId, collection.name, shardId);
    try {
      await ports.qdrant.recoverShard(collection.name, shardId, shown.name, sha256);
    } finally {
      await shown.hide();
    }
    await ports.step('shard-recovered');
  }
}

/** Indexes register by themselves only when recovery creates the collection. */
async function restoreIndexes(qdrant: QdrantClient, collection: ManifestCollection): Promise<void> {
  const { payload_schema: present } = await qdrant.collection(collection.name);
  for (const [field, index] of Object.entries(present)) {
    const wanted = collection.payloadSchema[field];
    if (wanted === undefined || !sameIndex(index, wanted)) await qdrant.deleteIndex(collection.name, field);
  }
  for (const [field, wanted] of Object.entries(collection.payloadSchema)) {
    const index = present[field];
    if (index === undefined || !sameIndex(index, wanted)) {
      await qdrant.createIndex(collection.name, field, indexSchema(wanted));
    }
  }
}

/** A name that is an alias here and a collection there would stand in its way. */
async function freeNames(qdrant: QdrantClient, manifest: Manifest): Promise<void> {
  const names = new Set(manifest.collections.map((collection) => collection.name));
  const inTheWay = (await qdrant.aliases()).filter((alias) => names.has(alias.alias_name));
  await qdrant.updateAliases(inTheWay.map((alias) => ({ delete_alias: { alias_name: alias.alias_name } })));
}

/** Aliases are in no snapshot; all changes go in one request, so that no reader sees half of them. */
async function restoreAliases(qdrant: QdrantClient, manifest: Manifest): Promise<void> {
  const present = await qdrant.aliases();
  const wanted = aliasesOf(manifest);
  const has = (list: readonly AliasDescription[], alias: AliasDescription): boolean =>
    list.some((one) => one.alias_name === alias.alias_name && one.collection_name === alias.collection_name);
  await qdrant.updateAliases([
    ...present
      .filter((alias) => !has(wanted, alias))
      .map((alias) => ({ delete_alias: { alias_name: alias.alias_name } })),
    ...wanted.filter((alias) => !has(present, alias)).map((alias) => ({ create_alias: alias })),
  ]);
}

function aliasesOf(manifest: Manifest): AliasDescription[] {
  return manifest.collections.flatMap(({ name, aliases }) =>
    aliases.map((alias) => ({ alias_name: alias, collection_name: name })),
  );
}

function sortedAliases(aliases: readonly AliasDescription[]): string[] {
  return aliases.map((alias) => `${alias.alias_name} → ${alias.collection_name}`).sort();
}

/**
 * Before a fenced site is overwritten: what it has beyond the publish that the new holder began from, as lines of JSON
 * beside the set-aside snapshots. Whether the new holder has changed the same points since is asked when merging.
 */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HEARTBEAT_COLLECTION, type DivergedCounts } from '../../../infra/contract/agent-api';
import { BUCKETS } from '../digest/bucket-sums';
import { parseExact } from '../digest/exact-json';
import { hashPoint, keyOf, sameHash, type IdKey, type PointHash } from '../digest/point-hash';
import { RETRIEVE_BATCH, readPoints, scanPoints } from '../digest/point-reader';
import { Spill } from '../digest/spill';
import type { QdrantClient } from '../qdrant/client';
import { creationBody, indexSchema } from '../snapshots/collection-config';
import { syncFile } from '../state/durable-file';
import { Base, type CollectionBase } from './base';
import { printOperation, type Operation } from './operation';

export const DIVERGED_FILE = 'diverged.jsonl';

export interface Exported {
  readonly counts: DivergedCounts;
  /** The publish that was compared with. */
  readonly base: string | null;
}

export class DivergedExporter {
  private readonly counts = { inserted: 0, changed: 0, deleted: 0, unknown: 0, collections: 0 };

  private constructor(
    private readonly qdrant: QdrantClient,
    private readonly base: Base,
    private readonly folder: string,
    private readonly write: (operation: Operation) => Promise<void>,
  ) {}

  /**
   * @param digests folder of this site's own tables
   * @param basedOn the publish that the new holder's data began from
   * @param folder where the set-aside data are
   */
  static async export(
    qdrant: QdrantClient,
    digests: string,
    basedOn: string | null,
    folder: string,
  ): Promise<Exported> {
    const base = await Base.find(digests, basedOn);
    const temporary = join(folder, `${DIVERGED_FILE}.tmp`);
    const file = await open(temporary, 'w', 0o600);
    try {
      const exporter = new DivergedExporter(qdrant, base, folder, async (operation) => {
        await file.writeFile(`${printOperation(operation)}\n`);
      });
      await exporter.run();
      await file.sync();
      await rename(temporary, join(folder, DIVERGED_FILE));
      await syncFile(folder);
      return { counts: exporter.counts, base: base.publishId };
    } finally {
      await file.close();
      await rm(temporary, { force: true });
    }
  }

  private async run(): Promise<void> {
    const names = (await this.qdrant.collectionNames()).filter((name) => name !== HEARTBEAT_COLLECTION);
    for (const name of names) await this.collection(name, await this.base.of(name));
    for (const collection of this.base.gone(names)) {
      if (collection === HEARTBEAT_COLLECTION) continue;
      this.counts.collections += 1;
      await this.write({ operation: 'delete-collection', collection });
    }
  }

  private async collection(name: string, base: CollectionBase): Promise<void> {
    // What was acknowledged before the site was fenced may still wait to be applied.
    await this.qdrant.settle(name);
    if (base.kind === 'new') this.counts.collections += 1;
    if (base.kind !== 'known') await this.write(await this.creation(name));
    const spill = await Spill.create(join(this.folder, 'own.scan'));
    try {
      for await (const page of scanPoints(this.qdrant, name)) {
        for (const point of page) await spill.add(keyOf(point.id), hashPoint(point));
      }
      for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
        const before = base.kind === 'known' ? await base.bucket(bucket) : new Map<IdKey, PointHash>();
        await this.bucket(name, base.kind, before, await spill.bucket(bucket));
      }
    } finally {
      await spill.remove();
    }
  }

  private async bucket(
    collection: string,
    kind: CollectionBase['kind'],
    before: ReadonlyMap<IdKey, PointHash>,
    own: ReadonlyMap<IdKey, PointHash>,
  ): Promise<void> {
    const keys = [...own].filter(([key, hash]) => !sameHash(hash, before.get(key))).map(([key]) => key);
    for (let at = 0; at < keys.length; at += RETRIEVE_BATCH) {
      const points = await readPoints(this.qdrant, collection, keys.slice(at, at + RETRIEVE_BATCH));
      for (const [key, point] of points) {
        const old = before.get(key) ?? null;
        const change = kind === 'unknown' ? 'unknown' : old === null ? 'inserted' : 'changed';
        this.counts[change] += 1;
        const id = point.id as string | number | bigint;
        const hashes = { base: kind === 'unknown' ? ('unknown' as const) : old, own: hashPoint(point) };
        const { payload, vector } = point;
        await this.write({ operation: 'upsert', collection, id, change, ...hashes, payload, vector });
      }
    }
    for (const [key, base] of before) {
      if (own.has(key)) continue;
      this.counts.deleted += 1;
      const id = parseExact(key) as string | number | bigint;
      await this.write({ operation: 'delete', collection, id, base });
    }
  }

  private async creation(name: string): Promise<Operation> {
    const { config, payload_schema: schema } = await this.qdrant.collection(name);
    const aliases = await this.qdrant.aliases();
    return {
      operation: 'create-collection',
      collection: name,
      body: creationBody(config),
      indexes: Object.entries(schema).map(([field, index]) => ({ field, schema: indexSchema(index) })),
      aliases: aliases.filter((alias) => alias.collection_name === name).map((alias) => alias.alias_name),
    };
  }
}

/** For people. */
export function describeCounts(counts: DivergedCounts): string {
  const { inserted, changed, deleted, unknown } = counts;
  if (unknown > 0)
    return `what the other site began from is not known here, so all ${unknown} points are listed`;
  return `points that only this site had: ${inserted} inserted, ${changed} changed, ${deleted} deleted`;
}

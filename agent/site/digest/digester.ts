/**
 * The publisher's side: knows at each publish what every collection held at the cut, without reading it all again. What
 * the gateway saw being written is read before writes are held, and what was written meanwhile under the hold, so that the
 * hold stays short; a publish whose hold was not long enough has no digest and says so.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors';
import type { SiteClock } from '../ports';
import type { QdrantClient } from '../qdrant/client';
import { MAX_DIRTY_IDS, type Dirty, type DirtyTracker } from './dirty';
import { PendingCollection, type Meanwhile } from './pending';
import type { IdKey, PointHash } from './point-hash';
import { PublishIndex } from './publish-index';
import { HashTable, PUBLISHES_KEPT } from './table';

/** As in a manifest. */
export type CollectionDigest =
  { readonly points: number; readonly sums: string } | { readonly absent: string };

/** Under the hold a collection with more points than this is not read whole. */
const MAX_WHOLE_AT_CUT = 2_000;
/** However well the writes are followed, everything is read again once a day. */
const WHOLE_EVERY_MS = 24 * 3_600_000;

export interface DigesterOptions {
  readonly qdrant: Pick<QdrantClient, 'pointsText' | 'settle' | 'collectionNames' | 'aliases' | 'count'>;
  readonly tracker: DirtyTracker;
  readonly clock: SiteClock;
  /** Holds one table a collection. */
  readonly folder: string;
}

export class Digester {
  private readonly tables = new Map<string, HashTable>();
  private readonly pending = new Map<string, PendingCollection>();
  /** When each was last read whole; one that is missing must be. */
  private readonly readWholeAt = new Map<string, number>();
  private readonly vanishedFor = new Map<string, number>();
  private readonly late = new Map<string, string>();
  private epoch: number | null = null;
  private newest: { readonly publishId: string; readonly absent: string[] } | null = null;
  /** True once everything that had been written by the cut has been looked at. */
  private cut = false;

  constructor(private readonly options: DigesterOptions) {}

  /** Reads what is known to have been written, while writes go on. */
  async prepare(epoch: number): Promise<void> {
    // In another epoch, or before this process, somebody else may have written.
    if (this.epoch !== epoch) this.readWholeAt.clear();
    this.epoch = epoch;
    this.late.clear();
    this.cut = false;
    await this.refresh(null);
  }

  /** Under the hold, every write having ended: what is read now is what the snapshots will have. */
  async atCut(withinMs: number): Promise<void> {
    const { clock } = this.options;
    const endsAt = clock.monotonicMs() + withinMs;
    await this.refresh(() => {
      if (clock.monotonicMs() > endsAt)
        throw new RangeError('more had been written than can be read while writes are held');
    });
    this.cut = true;
  }

  /** Of the newest publish. */
  get outcome(): { readonly publishId: string; readonly absent: readonly string[] } | null {
    return this.newest;
  }

  /** @param exact whether writes were held until the last snapshot was cut */
  async finish(publishId: string, name: string, points: number, exact: boolean): Promise<CollectionDigest> {
    const digest = await this.digestOf(publishId, name, points, exact);
    if (this.newest?.publishId !== publishId) this.newest = { publishId, absent: [] };
    if ('absent' in digest) this.newest.absent.push(`${name}: ${digest.absent}`);
    return digest;
  }

  private async digestOf(
    publishId: string,
    name: string,
    points: number,
    exact: boolean,
  ): Promise<CollectionDigest> {
    const reason = exact ? this.late.get(name) : 'writes could not be held while the snapshots were cut';
    if (reason !== undefined) return { absent: reason };
    const pending = this.pending.get(name);
    if (!this.cut || pending === undefined || !this.readWholeAt.has(name))
      return { absent: 'it was not read in time' };
    try {
      const table = await this.table(name);
      const sums = pending.isEmpty ? table.newestSums() : await table.advance(publishId, pending);
      await pending.clear();
      if (sums.points === points) return sums.encode();
      this.readWholeAt.delete(name);
      return {
        absent: `its table has ${sums.points} points, Qdrant counts ${points}; it will be read again`,
      };
    } catch (error) {
      await this.forget(name);
      return { absent: `its table could not be used: ${messageOf(error)}` };
    }
  }

  /** Remembers which collections a publish has. */
  note(publishId: string, collections: readonly string[]): Promise<void> {
    return new PublishIndex(this.options.folder).add(publishId, collections);
  }

  /** What this site had at a publish whose manifest has a digest; it is read anew before the next, since somebody doubts it. */
  async doubted(
    publishId: string,
    name: string,
    bucket: number,
  ): Promise<ReadonlyMap<IdKey, PointHash> | null> {
    this.readWholeAt.delete(name);
    const table = await this.table(name);
    const at = table.at(publishId);
    return at === null ? null : table.bucket(bucket, at);
  }

  private async refresh(meanwhile: Meanwhile | null): Promise<void> {
    const { qdrant, tracker } = this.options;
    const dirty = tracker.take();
    let names: string[];
    let targets: Map<string, Set<IdKey> | 'whole'>;
    try {
      names = await qdrant.collectionNames();
      targets = targetsOf(dirty, names, await qdrant.aliases());
    } catch (error) {
      putBack(tracker, dirty);
      throw error;
    }
    for (const name of names) {
      const target = targets.get(name) ?? new Set<IdKey>();
      if (target === 'whole') this.readWholeAt.delete(name);
      try {
        await this.refreshOne(name, target === 'whole' ? new Set() : target, meanwhile);
        this.late.delete(name);
      } catch (error) {
        if (target !== 'whole') tracker.markIds(name, target);
        this.late.set(name, messageOf(error));
      }
    }
    await this.dropVanished(names);
  }

  private async refreshOne(
    name: string,
    ids: ReadonlySet<IdKey>,
    meanwhile: Meanwhile | null,
  ): Promise<void> {
    const { qdrant, clock, folder } = this.options;
    const pending =
      this.pending.get(name) ?? new PendingCollection(name, join(folder, `${folderOf(name)}.scan`));
    this.pending.set(name, pending);
    const readAt = this.readWholeAt.get(name);
    const old = meanwhile === null && readAt !== undefined && clock.monotonicMs() - readAt > WHOLE_EVERY_MS;
    const tooMany = pending.size + ids.size > MAX_DIRTY_IDS;
    const whole =
      readAt === undefined || old || tooMany || ((await this.table(name)).isEmpty && !pending.whole);
    if (!whole && ids.size === 0) return;
    // What was acknowledged without having been applied would be read as it was before.
    await qdrant.settle(name);
    if (!whole) return pending.read(qdrant, [...ids], meanwhile ?? noLimit);
    if (meanwhile !== null && (await qdrant.count(name)) > MAX_WHOLE_AT_CUT) {
      throw new RangeError('something was written that only a reading of the whole shows');
    }
    const startedAt = clock.monotonicMs();
    this.readWholeAt.delete(name);
    await pending.scan(qdrant, meanwhile ?? noLimit);
    this.readWholeAt.set(name, startedAt);
  }

  /** The table of a deleted collection tells for a while what it had, should somebody have to ask. */
  private async dropVanished(names: readonly string[]): Promise<void> {
    for (const name of this.tables.keys()) {
      const gone = names.includes(name) ? 0 : (this.vanishedFor.get(name) ?? 0) + 1;
      this.vanishedFor.set(name, gone);
      if (gone === 1) await this.pending.get(name)?.clear();
      if (gone > 2 * PUBLISHES_KEPT) await this.forget(name);
    }
  }

  private async forget(name: string): Promise<void> {
    await this.pending.get(name)?.clear();
    await rm(join(this.options.folder, folderOf(name)), { recursive: true, force: true });
    for (const kept of [this.tables, this.pending, this.readWholeAt, this.vanishedFor]) kept.delete(name);
  }

  private async table(name: string): Promise<HashTable> {
    const table = this.tables.get(name) ?? (await HashTable.open(join(this.options.folder, folderOf(name))));
    this.tables.set(name, table);
    return table;
  }
}

/** Of a collection's name; nothing in it can climb out. */
export function folderOf(name: string): string {
  return encodeURIComponent(name).replaceAll('.', '%2E');
}

function targetsOf(
  dirty: Dirty,
  names: readonly string[],
  aliases: readonly { readonly alias_name: string; readonly collection_name: string }[],
): Map<string, Set<IdKey> | 'whole'> {
  const targets = new Map<string, Set<IdKey> | 'whole'>();
  for (const [written, { whole, ids }] of dirty.collections) {
    for (const name of reached(written, dirty.aliasesMoved, names, aliases)) {
      const before = targets.get(name);
      if (whole || before === 'whole') targets.set(name, 'whole');
      else targets.set(name, new Set([...(before ?? []), ...ids]));
    }
  }
  return targets;
}

/** Where a write to this name may have gone: an id too many costs a read, one too few would make the digest wrong. */
function reached(
  written: string,
  aliasesMoved: boolean,
  names: readonly string[],
  aliases: readonly { readonly alias_name: string; readonly collection_name: string }[],
): readonly string[] {
  if (aliasesMoved) return names;
  if (names.includes(written)) return [written];
  return aliases.filter((alias) => alias.alias_name === written).map((alias) => alias.collection_name);
}

function putBack(tracker: DirtyTracker, dirty: Dirty): void {
  if (dirty.aliasesMoved) tracker.mark({ kind: 'aliases' });
  for (const [name, { whole, ids }] of dirty.collections) {
    if (whole) tracker.markWhole(name);
    else tracker.markIds(name, ids);
  }
}

function noLimit(): void {
  /* before the hold there is time */
}

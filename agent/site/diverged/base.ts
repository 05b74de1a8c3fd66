/** What the new holder began from, as far as this site's own tables still tell it. */
import { join } from 'node:path';
import { folderOf } from '../digest/digester';
import type { IdKey, PointHash } from '../digest/point-hash';
import { PublishIndex } from '../digest/publish-index';
import type { SegmentHeader } from '../digest/segment';
import { HashTable } from '../digest/table';

/**
 * - known: its points at a publish, one bucket at a time
 * - new: the publish did not have the collection
 * - unknown: nobody can say any more; every point may be this site's own
 */
export type CollectionBase =
  | { readonly kind: 'known'; bucket(bucket: number): Promise<Map<IdKey, PointHash>> }
  | { readonly kind: 'new' }
  | { readonly kind: 'unknown' };

export class Base {
  private constructor(
    /** The publish that is compared with; an older one than asked for lists more, never less. */
    readonly publishId: string | null,
    private readonly collections: readonly string[],
    private readonly folder: string,
  ) {}

  /**
   * @param folder of the digests' tables
   * @param publishId that the new holder began from; null when it does not say
   */
  static async find(folder: string, publishId: string | null): Promise<Base> {
    const note = publishId === null ? null : await new PublishIndex(folder).upTo(publishId);
    return new Base(note?.id ?? null, note?.collections ?? [], folder);
  }

  /** Collections that the publish had and this site no longer has. */
  gone(names: readonly string[]): readonly string[] {
    return this.collections.filter((name) => !names.includes(name));
  }

  async of(name: string): Promise<CollectionBase> {
    if (this.publishId === null) return { kind: 'unknown' };
    if (!this.collections.includes(name)) return { kind: 'new' };
    const table = await HashTable.open(join(this.folder, folderOf(name)));
    const at: SegmentHeader | null = table.at(this.publishId);
    return at === null
      ? { kind: 'unknown' }
      : { kind: 'known', bucket: (bucket) => table.bucket(bucket, at) };
  }
}

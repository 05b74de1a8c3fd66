/** What has been written since it was last read, by collection; fed by the write gateway at the end of every exchange. */
import type { IdKey } from './point-hash';
import type { Touched } from './write-scan';

/** Past it, reading the whole collection is no worse. */
export const MAX_DIRTY_IDS = 50_000;

export interface DirtyCollection {
  /** Everything must be read again; `ids` says nothing then. */
  readonly whole: boolean;
  readonly ids: ReadonlySet<IdKey>;
}

export interface Dirty {
  readonly collections: ReadonlyMap<string, DirtyCollection>;
  /** An alias was moved: what was written by alias may have gone to either collection. */
  readonly aliasesMoved: boolean;
}

export class DirtyTracker {
  private collections = new Map<string, { whole: boolean; ids: Set<IdKey> }>();
  private aliasesMoved = false;

  mark(touched: Touched): void {
    if (touched.kind === 'nothing') return;
    if (touched.kind === 'aliases') {
      this.aliasesMoved = true;
      return;
    }
    const { name } = touched;
    if (touched.kind === 'collection') this.markWhole(name);
    else this.markIds(name, touched.ids);
  }

  markWhole(name: string): void {
    this.collections.set(name, { whole: true, ids: new Set() });
  }

  markIds(name: string, ids: Iterable<IdKey>): void {
    const entry = this.collections.get(name) ?? { whole: false, ids: new Set() };
    this.collections.set(name, entry);
    if (entry.whole) return;
    for (const id of ids) entry.ids.add(id);
    if (entry.ids.size > MAX_DIRTY_IDS) this.markWhole(name);
  }

  /** What is dirty now; from here on a new set is collected. */
  take(): Dirty {
    const taken = { collections: this.collections, aliasesMoved: this.aliasesMoved };
    this.collections = new Map();
    this.aliasesMoved = false;
    return taken;
  }
}

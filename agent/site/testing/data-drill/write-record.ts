/**
 * What was written and what of it was acknowledged, so that any copy of the data can be held against it: exact ids,
 * exact content. The content of a point follows from its id and version, so a garbled point is told from an old one.
 */
import type { QdrantPoint } from '../../qdrant/types';

export const VECTOR_SIZE = 4;

/** A point's next content, or null to delete it. */
export interface Write {
  readonly collection: string;
  readonly id: number;
  readonly version: number | null;
}

interface Operation extends Write {
  /** Place among all acknowledgements; null when nobody said that it was done, though it may have been. */
  acknowledged: number | null;
}

/** Points by collection, as a site's Qdrant has them. */
export type Observed = ReadonlyMap<string, readonly QdrantPoint[]>;

export interface Difference {
  /** `collection/id` of what was acknowledged and is not there, or only as it was before. */
  readonly lost: readonly string[];
  /** `collection/id` of what nobody wrote like this. */
  readonly foreign: readonly string[];
}

export class WriteRecord {
  private readonly collections = new Map<string, Map<number, Operation[]>>();
  private acknowledgements = 0;

  /** Every acknowledgement up to now is before this mark. */
  mark(): number {
    return this.acknowledgements;
  }

  /** Makes the collection known, empty. */
  create(collection: string): void {
    this.collections.set(collection, new Map());
  }

  names(): readonly string[] {
    return [...this.collections.keys()];
  }

  drop(collection: string): void {
    this.collections.delete(collection);
  }

  /** To be called before the request is sent; what it answers is called with the acknowledgement. */
  attempt(writes: readonly Write[]): () => void {
    const operations = writes.map((write): Operation => ({ ...write, acknowledged: null }));
    for (const operation of operations) {
      const points = this.pointsOf(operation.collection);
      points.set(operation.id, [...(points.get(operation.id) ?? []), operation]);
    }
    return () => {
      this.acknowledgements += 1;
      for (const operation of operations) operation.acknowledged = this.acknowledgements;
    };
  }

  /** After a failover the service's data are what the new holder had: what else was written is lost, and was allowed to be. */
  rebase(observed: Observed): void {
    this.collections.clear();
    for (const [collection, points] of observed) {
      this.create(collection);
      for (const point of points) {
        this.attempt([{ collection, id: Number(point.id), version: versionOf(point) }])();
      }
    }
  }

  /** Everything acknowledged before the mark has to be there, and nothing may be there that was never written. */
  compare(observed: Observed, mark: number): Difference {
    const lost: string[] = [];
    const foreign: string[] = [];
    for (const [collection, written] of this.collections) {
      const present = new Map((observed.get(collection) ?? []).map((point) => [Number(point.id), point]));
      for (const [id, operations] of written) {
        const verdict = judge(operations, present.get(id), mark);
        if (verdict !== 'as-written') (verdict === 'lost' ? lost : foreign).push(`${collection}/${id}`);
        present.delete(id);
      }
      for (const id of present.keys()) foreign.push(`${collection}/${id}`);
    }
    for (const collection of observed.keys()) {
      if (!this.collections.has(collection)) foreign.push(`${collection}/*`);
    }
    return { lost, foreign };
  }

  private pointsOf(collection: string): Map<number, Operation[]> {
    const points = this.collections.get(collection);
    if (points === undefined) throw new Error(`${collection} was never created`);
    return points;
  }
}

/** What the point with this version looks like; whole numbers survive the engine's 32-bit floats unchanged. */
export function contentOf(
  id: number,
  version: number,
): { vector: number[]; payload: { n: number; v: number } } {
  return { vector: [(id % 997) + 1, version + 1, id % 7, 1], payload: { n: id, v: version } };
}

function judge(
  operations: readonly Operation[],
  point: QdrantPoint | undefined,
  mark: number,
): 'as-written' | 'lost' | 'foreign' {
  let least = -1;
  for (const [index, { acknowledged }] of operations.entries()) {
    if (acknowledged !== null && acknowledged <= mark) least = index;
  }
  const version = point === undefined ? null : versionOf(point);
  if (point !== undefined && !isContent(point, version)) return 'foreign';
  const matches = (operation: Operation): boolean => operation.version === version;
  if (least === -1 && point === undefined) return 'as-written';
  if (operations.slice(Math.max(least, 0)).some(matches)) return 'as-written';
  return point === undefined || operations.some(matches) ? 'lost' : 'foreign';
}

function isContent(point: QdrantPoint, version: number | null): boolean {
  if (version === null) return false;
  const { vector, payload } = contentOf(Number(point.id), version);
  return (
    JSON.stringify(point.vector) === JSON.stringify(vector) &&
    point.payload?.['n'] === payload.n &&
    Object.keys(point.payload).length === 2
  );
}

function versionOf(point: QdrantPoint): number | null {
  const version = point.payload?.['v'];
  return typeof version === 'number' ? version : null;
}

/**
 * Brings what only the other site had to this one, which holds the lease. Each operation is judged against what is here
 * now: still as both sides began from, it is carried out; already so, it is left; changed here as well, the policy
 * decides. So a merge may be cut short and repeated.
 */
import type { MergePolicy, MergeResponse } from '../../../infra/contract/agent-api';
import { stringifyExact } from '../digest/exact-json';
import { hashPoint, keyOf, sameHash, type IdKey, type PointHash } from '../digest/point-hash';
import { readPoints } from '../digest/point-reader';
import type { QdrantClient } from '../qdrant/client';
import type { GatewayWriter } from './gateway-writer';
import { parseOperation, type Operation, type PointOperation } from './operation';

export interface MergePorts {
  readonly qdrant: Pick<QdrantClient, 'pointsText' | 'collectionNames' | 'aliases' | 'settle'>;
  readonly gateway: GatewayWriter;
}

/** What becomes of one operation. */
export type Judgement =
  | { readonly kind: 'present' }
  | { readonly kind: 'apply' }
  | { readonly kind: 'conflict'; readonly why: string };

/** @param here the holder's point at this moment, null when it has none */
export function judge(operation: PointOperation, here: PointHash | null): Judgement {
  const own = operation.operation === 'upsert' ? operation.own : null;
  if (sameHash(here, own)) return { kind: 'present' };
  const { base } = operation;
  if (base === 'unknown') {
    const why =
      here === null ? 'not at the holder, where it may have been deleted' : 'different at the holder';
    return { kind: 'conflict', why: `${why}; what both began from is not known` };
  }
  if (sameHash(here, base)) return { kind: 'apply' };
  const there = here === null ? 'deleted' : base === null ? 'inserted' : 'changed';
  return { kind: 'conflict', why: `${verbOf(operation)} there, ${there} at the holder` };
}

export async function mergeLines(
  lines: readonly string[],
  policy: MergePolicy,
  ports: MergePorts,
): Promise<MergeResponse> {
  const merge = new Merge(policy, ports);
  const operations = lines.map(parseOperation);
  for (let at = 0; at < operations.length;) {
    const first = operations[at];
    if (first === undefined) break;
    if (isPoint(first)) {
      const run = takeWhile(
        operations.slice(at),
        (each) => isPoint(each) && each.collection === first.collection,
      );
      await merge.points(first.collection, run as PointOperation[]);
      at += run.length;
    } else {
      await merge.collection(first);
      at += 1;
    }
  }
  return merge.response();
}

class Merge {
  private readonly outcome = { applied: 0, present: 0, conflicts: 0 };
  private readonly conflicts: MergeResponse['conflicts'][number][] = [];
  private names: readonly string[] | null = null;

  constructor(
    private readonly policy: MergePolicy,
    private readonly ports: MergePorts,
  ) {}

  response(): MergeResponse {
    return { outcome: this.outcome, conflicts: this.conflicts };
  }

  async points(collection: string, operations: readonly PointOperation[]): Promise<void> {
    if (!(await this.exists(collection))) {
      // Only `list` gets here with a collection that its merge would make first.
      for (const operation of operations) this.withoutCollection(operation);
      return;
    }
    const { qdrant, gateway } = this.ports;
    await qdrant.settle(collection);
    const keys = operations.map(({ id }) => keyOf(id));
    const here = await readPoints(qdrant, collection, keys);
    const upserts: string[] = [];
    const deletes: IdKey[] = [];
    for (const operation of operations) {
      const key = keyOf(operation.id);
      const point = here.get(key);
      const judgement = judge(operation, point === undefined ? null : hashPoint(point));
      if (!this.count(operation, judgement)) continue;
      if (operation.operation === 'delete') deletes.push(key);
      else upserts.push(pointOf(operation));
    }
    if (this.policy === 'list') return;
    const path = `/collections/${encodeURIComponent(collection)}/points`;
    if (upserts.length > 0)
      await gateway.write('PUT', `${path}?wait=true`, `{"points":[${upserts.join(',')}]}`);
    if (deletes.length > 0)
      await gateway.write('POST', `${path}/delete?wait=true`, `{"points":[${deletes.join(',')}]}`);
  }

  async collection(operation: Exclude<Operation, PointOperation>): Promise<void> {
    const { collection } = operation;
    const exists = await this.exists(collection);
    if (operation.operation === 'delete-collection') {
      if (!exists) this.outcome.present += 1;
      else
        this.conflict(
          collection,
          '',
          'the collection was deleted there; no merge deletes one: do it yourself if that was meant',
        );
    } else if (exists) {
      this.outcome.present += 1;
    } else {
      this.outcome.applied += 1;
      if (this.policy !== 'list') await this.create(operation);
    }
  }

  private async create(operation: Extract<Operation, { operation: 'create-collection' }>): Promise<void> {
    const { gateway, qdrant } = this.ports;
    const path = `/collections/${encodeURIComponent(operation.collection)}`;
    await gateway.write('PUT', path, stringifyExact(operation.body));
    for (const { field, schema } of operation.indexes) {
      const body = stringifyExact({ field_name: field, field_schema: schema });
      await gateway.write('PUT', `${path}/index?wait=true`, body);
    }
    const taken = (await qdrant.aliases()).map((alias) => alias.alias_name);
    const free = operation.aliases.filter((alias) => !taken.includes(alias));
    if (free.length > 0) {
      const actions = free.map((alias) => ({
        create_alias: { collection_name: operation.collection, alias_name: alias },
      }));
      await gateway.write('POST', '/collections/aliases', JSON.stringify({ actions }));
    }
    this.names = null;
  }

  /** True when the operation is to be carried out. */
  private count(operation: PointOperation, judgement: Judgement): boolean {
    if (judgement.kind === 'conflict') {
      this.conflict(operation.collection, keyOf(operation.id), judgement.why);
      return this.policy === 'keep-diverged';
    }
    this.outcome[judgement.kind === 'present' ? 'present' : 'applied'] += 1;
    return judgement.kind === 'apply';
  }

  private withoutCollection(operation: PointOperation): void {
    const { collection, id } = operation;
    if (operation.operation === 'delete') this.outcome.present += 1;
    else if (operation.base === null && this.policy === 'list') this.outcome.applied += 1;
    else this.conflict(collection, keyOf(id), 'the collection is not at the holder any more');
  }

  private conflict(collection: string, id: string, why: string): void {
    this.outcome.conflicts += 1;
    this.conflicts.push({ collection, id, why });
  }

  private async exists(collection: string): Promise<boolean> {
    this.names ??= await this.ports.qdrant.collectionNames();
    return this.names.includes(collection);
  }
}

function pointOf({ id, payload, vector }: Extract<Operation, { operation: 'upsert' }>): string {
  return stringifyExact({ id, vector: vector ?? {}, payload: payload ?? {} });
}

function verbOf(operation: PointOperation): string {
  return operation.operation === 'delete' ? 'deleted' : operation.change;
}

function isPoint(operation: Operation): operation is PointOperation {
  return operation.operation === 'upsert' || operation.operation === 'delete';
}

function takeWhile<T>(list: readonly T[], holds: (item: T) => boolean): T[] {
  const end = list.findIndex((item) => !holds(item));
  return end === -1 ? [...list] : list.slice(0, end);
}

/** A collection's configuration as Qdrant shows it, turned back into what creates or updates one. */
import type { CollectionConfig, PayloadIndex } from '../qdrant/types';
import { canonicalJson } from './hashing';

/**
 * Body of `PUT /collections/{c}`.
 *
 * @param replicas as many as this site keeps of each shard, where it has several servers; else as the publisher said
 */
export function creationBody(config: CollectionConfig, replicas?: number): Record<string, unknown> {
  const { params } = config;
  return withoutNulls({
    vectors: params['vectors'],
    sparse_vectors: params['sparse_vectors'],
    shard_number: params['shard_number'],
    sharding_method: params['sharding_method'],
    replication_factor: replicas ?? params['replication_factor'],
    // More than there are would refuse every write.
    write_consistency_factor: atMost(params['write_consistency_factor'], replicas),
    on_disk_payload: params['on_disk_payload'],
    hnsw_config: config.hnsw_config,
    optimizers_config: config.optimizer_config,
    wal_config: config.wal_config,
    quantization_config: config.quantization_config,
    strict_mode_config: config.strict_mode_config,
    metadata: config.metadata,
  });
}

/** Body of `PATCH /collections/{c}`: what may differ without a new collection. */
export function updateBody(config: CollectionConfig): Record<string, unknown> {
  return withoutNulls({
    hnsw_config: config.hnsw_config,
    optimizers_config: config.optimizer_config,
    quantization_config: config.quantization_config ?? 'Disabled',
    strict_mode_config: config.strict_mode_config,
    metadata: config.metadata,
  });
}

/** What cannot be changed in place: a shard of another shape is refused, or worse, taken. */
export function sameStructure(a: CollectionConfig, b: CollectionConfig): boolean {
  return canonicalJson(structure(a)) === canonicalJson(structure(b));
}

export function sameSettings(a: CollectionConfig, b: CollectionConfig): boolean {
  return canonicalJson(updateBody(a)) === canonicalJson(updateBody(b));
}

export function sameIndex(a: PayloadIndex, b: PayloadIndex): boolean {
  return canonicalJson(indexSchema(a)) === canonicalJson(indexSchema(b));
}

/** `field_schema` of `PUT /collections/{c}/index`. */
export function indexSchema(index: PayloadIndex): unknown {
  if (index.params === null || index.params === undefined) return index.data_type;
  return { type: index.data_type, ...index.params };
}

function structure(config: CollectionConfig): unknown {
  const { params } = config;
  return {
    vectors: params['vectors'],
    sparse: params['sparse_vectors'],
    shards: params['shard_number'],
    method: params['sharding_method'],
    onDiskPayload: params['on_disk_payload'],
  };
}

const atMost = (value: unknown, most: number | undefined): unknown =>
  typeof value === 'number' && most !== undefined ? Math.min(value, most) : value;

function withoutNulls(body: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).filter(([, value]) => value !== null && value !== undefined),
  );
}

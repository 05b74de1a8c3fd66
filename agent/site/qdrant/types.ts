/** Shapes of Qdrant's answers, as far as they are looked at. */
export type PointId = string | number;

export interface QdrantPoint {
  readonly id: PointId;
  readonly payload?: Readonly<Record<string, unknown>> | null;
  /** A list, a list of lists (multivector), or those and sparse vectors by name. */
  readonly vector?: unknown;
}

export interface CollectionConfig {
  readonly params: Readonly<Record<string, unknown>>;
  readonly hnsw_config?: unknown;
  readonly optimizer_config?: unknown;
  readonly wal_config?: unknown;
  readonly quantization_config?: unknown;
  readonly strict_mode_config?: unknown;
  readonly metadata?: unknown;
}

export interface PayloadIndex {
  readonly data_type: string;
  readonly params?: unknown;
}

export interface CollectionInfo {
  readonly status: string;
  readonly config: CollectionConfig;
  readonly payload_schema: Readonly<Record<string, PayloadIndex>>;
}

export interface LocalShard {
  readonly shard_id: number;
  readonly shard_key?: string | number | null;
  readonly points_count: number;
  readonly state: string;
}

/** A replica on another node of the cluster, as this one knows it. */
export interface RemoteShard {
  readonly shard_id: number;
  readonly shard_key?: string | number | null;
  readonly peer_id: number;
  readonly state: string;
}

export interface AliasDescription {
  readonly alias_name: string;
  readonly collection_name: string;
}

export interface SnapshotDescription {
  readonly name: string;
  readonly size: number;
  readonly checksum?: string | null;
}

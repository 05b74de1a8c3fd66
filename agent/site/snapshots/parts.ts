/**
 * Where the shards of publishes are kept: the port. A publish's parts are stored together, as one snapshot that its
 * manifest names; whether as files or as chunks that publishes share is the store's own business.
 */
import type { Readable } from 'node:stream';
import { AgentError } from '../../shared/errors';
import type { Manifest } from './manifest';

export interface PartKey {
  readonly collection: string;
  readonly shardId: number;
}

export interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

/** A shard's snapshot on its way to the store. */
export interface PartSource extends PartKey {
  /** What Qdrant says that it has; for the check of free space. */
  readonly bytes: number;
  open(): Promise<Readable>;
  /** Told what came as soon as all of it has; throws to refuse it. From then on the source is not needed any more. */
  taken(received: Digest): Promise<void>;
}

export interface StoredParts {
  /** By this name the store knows all of them together. */
  readonly snapshot: string;
  /** Of what a fetch will give back, which need not be the bytes that came; in the order of the sources. */
  readonly parts: readonly Digest[];
}

export interface PartStore {
  /** Resolves when every part is at the store. Nothing stored before is changed. */
  put(publishId: string, sources: readonly PartSource[]): Promise<StoredParts>;
  /**
   * Gives `take` every wanted part of a publish of any site. A part that it refuses with PartCorruptError is fetched once
   * more, past everything that was kept from earlier fetches.
   */
  fetch(
    manifest: Manifest,
    wanted: readonly PartKey[],
    take: (key: PartKey, body: Readable) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>;
  /** The same from the store alone: nothing that is kept on this machine is used, and nothing is kept. */
  fetchAfresh: PartStore['fetch'];
  /** Bytes that a fetch would add to what the store keeps on this machine between fetches. */
  room(manifest: Manifest): Promise<number>;
  /** Drops whatever of this site's belongs to none of these publishes. */
  retain(publishIds: readonly string[], signal?: AbortSignal): Promise<void>;
}

export class PartCorruptError extends AgentError {
  readonly code = 'PART_CORRUPT';
}

export class DiskSpaceError extends AgentError {
  readonly code = 'DISK_SPACE';
}

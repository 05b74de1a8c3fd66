/** Where the manifests of publishes are kept, and the pointer to the latest; their parts are in a `PartStore`. */
import { AgentError } from '../../shared/errors';
import type { Manifest } from './manifest';

export interface LatestPointer {
  readonly publishId: string;
  readonly site: string;
  readonly epoch: number;
}

export interface SnapshotStore {
  putManifest(manifest: Manifest): Promise<void>;
  /** `ageSeconds` is by the store's own clock, rounded up; null when that clock was set back since. */
  readManifest(
    site: string,
    publishId: string,
  ): Promise<{ readonly manifest: Manifest; readonly ageSeconds: number | null }>;
  /** `token` is what `moveLatest` compares. */
  readLatest(): Promise<{ readonly pointer: LatestPointer; readonly token: string } | null>;
  /** Moves only if the pointer is still the one that was read; `null` means that there was none. */
  moveLatest(pointer: LatestPointer, ifToken: string | null): Promise<'moved' | 'conflict'>;
  /** Ids of the site's publishes, oldest first. */
  listPublishes(site: string): Promise<string[]>;
  removePublish(site: string, publishId: string): Promise<void>;
  close(): Promise<void>;
}

export class SnapshotStoreUnreachableError extends AgentError {
  readonly code = 'SNAPSHOT_STORE_UNREACHABLE';
}

export class PublishMissingError extends AgentError {
  readonly code = 'PUBLISH_MISSING';
}

export class PointerInvalidError extends AgentError {
  readonly code = 'POINTER_INVALID';
}

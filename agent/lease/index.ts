/** The lease: who may write, and how that changes. */
export {
  LeaseCorruptError,
  PersistedStateCorruptError,
  StoreUnreachableError,
  SwitchRefusedError,
} from './errors';
export { LeaseKeeper, type LeaseKeeperOptions } from './keeper';
export { LineageFile, readLineage } from './lineage-file';
export { MemoryLeaseStore } from './memory-store';
export { HANDOVER_PHASES } from './model';
export type { Clock, LeaseStore, LocalView, PeerPort, PersistedState, StatePort } from './ports';
export { S3Objects, type S3ObjectsOptions } from './s3-objects';
export { S3LeaseStore, type S3LeaseStoreOptions } from './s3-store';
export { systemClock } from './system-clock';

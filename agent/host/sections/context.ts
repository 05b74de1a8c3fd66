import type { ServerSpec } from '../../../infra/contract/site-spec';
import type { Converger } from '../converge';
import type { HostPort } from '../port';
import type { WeightsPort } from '../weights';
import type { ObjectStoreAdmin, ObjectStoreAdminOptions } from '../object-store-admin';

/** Clients that sections need beside the host; replaced in tests. */
export interface Services {
  objectStore(options: ObjectStoreAdminOptions): ObjectStoreAdmin;
  weights(host: HostPort): WeightsPort;
  /** False where nobody logs in by SSH: the server pulls what it should be, and a firewall may leave SSH out. */
  readonly needsSsh?: boolean;
}

export interface SectionContext {
  readonly converger: Converger;
  readonly document: ServerSpec;
  readonly services: Services;
}

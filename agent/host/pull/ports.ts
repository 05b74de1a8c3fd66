import type { SectionName, ServerSpec } from '../../../infra/contract/site-spec';
import type { ChangeLog } from '../converge';
import type { HostPort } from '../port';

/** The site's deploy bucket. */
export interface ObjectsPort {
  /** Rejects when it cannot be read, a missing one included. */
  get(key: string): Promise<Buffer>;
  put(key: string, text: string): Promise<void>;
}

export type SecretStage = 'AWSCURRENT' | 'AWSPREVIOUS';

export interface SecretVersion {
  readonly versionId: string;
  readonly value: string;
  readonly createdAt: Date;
}

export interface SecretsPort {
  /** Null when the secret has no such version. */
  read(arn: string, stage: SecretStage): Promise<SecretVersion | null>;
}

/** The bundle that runs this very process. */
export interface SelfPort {
  readonly sha256: string;
  read(): Promise<Buffer>;
}

export interface PullPorts {
  readonly host: HostPort;
  readonly objects: ObjectsPort;
  secretsIn(region: string): SecretsPort;
  readonly self: SelfPort;
  /** Existing apply; returns the number of changes. `sections` are all that this server should have. */
  apply(document: ServerSpec, sections: readonly SectionName[]): Promise<number>;
  /** The lock of apply and remove. */
  withLock<T>(work: () => Promise<T>): Promise<T>;
  /** Runs `pull` of another bundle with these arguments to its end; its exit status. */
  handOver(bundle: string, args: readonly string[]): Promise<number>;
  now(): Date;
  readonly log: ChangeLog;
}

import type { Change } from './diff';
import type { WireMap } from './values';

/** What a running operation may use of the outside: how it is told to stop, and where its words go. */
export interface Operation {
  /** Logical name of the resource. */
  readonly name: string;
  readonly urn: string;
  /** Aborted when the deployment is cancelled or the operation's own time is up. */
  readonly signal: AbortSignal;
  readonly log: OperationLog;
}

export interface OperationLog {
  /** Shown while the resource is worked on. */
  status(message: string): void;
  warning(message: string): void;
  error(message: string): void;
}

export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

export interface Checked {
  readonly inputs: WireMap;
  readonly failures: readonly CheckFailure[];
}

export interface Created {
  readonly id: string;
  readonly outputs: WireMap;
}

/** What one resource type does. All property maps are in wire form, secrets wrapped. */
export interface ResourceType {
  check(inputs: WireMap): Checked;
  /** Changes from what is deployed; `replace` where one cannot be made in place. */
  diff(change: DiffRequest): readonly PropertyChange[];
  create(inputs: WireMap, operation: Operation): Promise<Created>;
  previewCreate(inputs: WireMap): WireMap;
  update(change: UpdateRequest, operation: Operation): Promise<WireMap>;
  previewUpdate(change: UpdateRequest): WireMap;
  delete(state: WireMap, operation: Operation): Promise<void>;
  /** What is really there; null: nothing any more. Absent: what was deployed is all that is known. */
  read?(id: string, state: WireMap, inputs: WireMap): Promise<ReadResult | null>;
}

export interface ReadResult {
  readonly outputs: WireMap;
  readonly inputs: WireMap;
}

export interface DiffRequest {
  readonly state: WireMap;
  readonly oldInputs: WireMap;
  readonly inputs: WireMap;
}

export interface UpdateRequest {
  readonly state: WireMap;
  readonly inputs: WireMap;
}

export interface PropertyChange extends Change {
  readonly replace: boolean;
}

export interface Provider {
  readonly name: string;
  readonly version: string;
  /** Whether secrets arrive and leave wrapped; where not, the engine marks outputs named like secret inputs. */
  readonly acceptSecrets: boolean;
  /** By type token, e.g. `command:remote:Command`. */
  readonly resources: Readonly<Record<string, ResourceType>>;
  /** By token, e.g. `aws:index/getCallerIdentity:getCallerIdentity`. */
  readonly functions?: Readonly<Record<string, (args: WireMap) => Promise<WireMap>>>;
  /** Handed the provider's configuration, without its namespace, before anything else is asked of it. */
  configure?(variables: WireMap): void;
}

/** What a soak writes down: enough to judge it again from the file. */
import type { LeaseHistoryEntry } from '../../infra/contract/agent-api';
import type { Attempt } from '../drill/record';
import type { AppliedPublish, StoreContent, Verdict } from './history';
import type { Interference } from './faults';

export interface RoundRecord {
  readonly number: number;
  readonly startedAt: number;
  /** Words of the faults, in the order in which they were made. */
  readonly faults: readonly string[];
  readonly interference: Interference;
  readonly holderBefore: string | null;
  readonly holderAfter: string | null;
  readonly epochAfter: number | null;
  /** From the repair of everything to the steady state, one planned switch included; null when it was not reached. */
  readonly recoverySeconds: number | null;
}

export interface ClientCount {
  readonly client: string;
  readonly ok: number;
  readonly failed: number;
}

export interface SoakRecord {
  readonly version: 1;
  readonly id: string;
  readonly seed: number;
  readonly minutes: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly rounds: readonly RoundRecord[];
  readonly clients: readonly ClientCount[];
  readonly writes: readonly Attempt[];
  readonly lease: readonly LeaseHistoryEntry[];
  readonly applied: readonly AppliedPublish[];
  readonly seedIds: readonly number[];
  readonly stores: readonly StoreContent[];
  /** Why it ended early; null when it ran its time. */
  readonly stopped: string | null;
  readonly leftovers: readonly string[];
}

export interface SoakResult {
  readonly record: SoakRecord;
  readonly verdict: Verdict;
  readonly passed: boolean;
}

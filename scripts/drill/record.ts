/** What a drill writes down while it runs: plain data, so that a report can be made again from the file. */
import type { AgentEvent, LeaseHistoryEntry } from '../../infra/contract/agent-api';
import type { BudgetOutput } from '../../infra/contract/stack-outputs';
import type { OperatorContext } from '../cli/context';
import { scenarioOf } from './scenarios';

/**
 * - cold: honours the DNS TTL, a new TLS connection for every request
 * - warm: keeps its connections and never looks the name up again while one lives
 * - retrying: a warm client that sends a request once more when it failed, as most clients do; it fails when both do
 * - writer: one point a period, resolved and connected like a cold client
 * - pinned: a writer that keeps to one site whatever DNS says; refusals are expected, two sites acknowledging is not
 * - runtime: a program in another runtime, with that runtime's own pool and resolver
 */
export type ClientKind = 'cold' | 'warm' | 'retrying' | 'writer' | 'pinned' | 'runtime';

export interface ClientInfo {
  readonly name: string;
  readonly kind: ClientKind;
  readonly what: 'inference' | 'vectors' | 'writes';
  readonly periodMs: number;
  readonly timeoutMs: number;
}

/** One request. Times are milliseconds of the drill's own wall clock. */
export interface Attempt {
  readonly client: string;
  /** Counts the client's requests from 0. */
  readonly seq: number;
  /** Id of the point that a writer tried to write. */
  readonly pointId?: number;
  readonly start: number;
  readonly end: number;
  readonly ok: boolean;
  readonly status: number | null;
  /** Site that answered, from the response header. */
  readonly site: string | null;
  /** Lease epoch under which a write was acknowledged, from the response header. */
  readonly epoch: number | null;
  readonly address: string | null;
  readonly error: string | null;
}

/** A change in what a nameserver answers. */
export interface DnsChange {
  readonly at: number;
  readonly nameserver: string;
  readonly sites: readonly string[];
  readonly addresses: readonly string[];
  readonly error: string | null;
}

/** A change in who holds the lease, as the sites say. */
export interface LeaseChange {
  readonly at: number;
  readonly epoch: number;
  readonly holder: string;
  readonly source: string;
}

/** Moments of the drill, in milliseconds; null until reached. */
export interface Marks {
  clientsStarted: number | null;
  faultStarted: number | null;
  faultDone: number | null;
  recovered: number | null;
  repaired: number | null;
  failbackStarted: number | null;
  failbackDone: number | null;
  ended: number | null;
}

/** What a complete scroll of the drill's collection found, and when it began. */
export interface DataCheck {
  readonly at: number;
  readonly site: string | null;
  readonly ids: readonly number[];
  readonly indexPresent: boolean;
  readonly aliasPresent: boolean;
}

export interface DrillRecord {
  readonly version: 1;
  readonly id: string;
  readonly scenario: string;
  readonly service: string;
  /** Active site at the start, and the one that must take over. */
  readonly from: string;
  readonly to: string;
  /** Epoch of the lease before anything was done; absent in older files. */
  readonly startEpoch?: number | null;
  readonly sites: readonly string[];
  readonly dnsTtlSeconds: number;
  readonly switchingMode: string;
  readonly budget: BudgetOutput;
  readonly collection: string;
  readonly seedIds: readonly number[];
  readonly sustainSeconds: number;
  readonly failback: boolean;
  readonly clients: readonly ClientInfo[];
  readonly marks: Marks;
  readonly attempts: readonly Attempt[];
  readonly dns: readonly DnsChange[];
  readonly leases: readonly LeaseChange[];
  readonly events: readonly AgentEvent[];
  readonly history: readonly LeaseHistoryEntry[];
  /** Seconds that each site's clock was found ahead of the drill's. */
  readonly clockAhead: Readonly<Record<string, number>>;
  readonly afterFailover: DataCheck | null;
  readonly afterFailback: DataCheck | null;
  /** After what only the lost holder had was merged; absent in older files, null when there was no merge. */
  readonly afterMerge?: DataCheck | null;
  /** Whether a merge was wanted. */
  readonly merge?: boolean;
  readonly steps: readonly { readonly at: number; readonly text: string }[];
  /** Why it ended before its end; null when it ran through. */
  readonly stopped: { readonly code: string; readonly message: string } | null;
  /** What could not be put back or cleaned up. */
  readonly leftovers: readonly string[];
}

export function newMarks(): Marks {
  return {
    clientsStarted: null,
    faultStarted: null,
    faultDone: null,
    recovered: null,
    repaired: null,
    failbackStarted: null,
    failbackDone: null,
    ended: null,
  };
}

/** The part of a record that is known before anything happens. */
export function describeWorld(
  context: OperatorContext,
  options: {
    readonly scenario: { readonly name: string };
    readonly sustainSeconds: number;
    readonly failback: boolean;
    readonly merge?: boolean;
  },
): Pick<
  DrillRecord,
  | 'version'
  | 'scenario'
  | 'service'
  | 'sites'
  | 'dnsTtlSeconds'
  | 'switchingMode'
  | 'budget'
  | 'sustainSeconds'
  | 'failback'
  | 'merge'
> {
  return {
    version: 1,
    scenario: options.scenario.name,
    service: context.service.host,
    sites: context.sites.map((site) => site.site),
    dnsTtlSeconds: context.service.dnsTtlSeconds,
    switchingMode: context.switchingMode,
    budget: context.budget,
    sustainSeconds: options.sustainSeconds,
    failback: options.failback,
    merge: options.merge ?? true,
  };
}

export function codeOf(error: unknown): string {
  return (error as { code?: string } | null)?.code ?? 'UNEXPECTED';
}

/** `region-loss: uk-primary → eu-standby → uk-primary`. */
export function titleOf(record: DrillRecord): string {
  const { from, to, failback } = record;
  const course =
    scenarioOf(record).expect === 'stay' ? `${from} stays` : `${from} → ${to}${failback ? ` → ${from}` : ''}`;
  return `${record.scenario}: ${course}`;
}

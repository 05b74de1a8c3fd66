/** What the daemon needs from the lease keeper and from the machine's clock. */
import type {
  AgentEvent,
  Health,
  PromiseRequest,
  PromiseResponse,
  PromoteRequest,
  PublishInfo,
  SiteState,
  SwitchRequest,
  StatusResponse,
  SwitchResponse,
  VetoRequest,
} from '../../infra/contract/agent-api';

/** The part of the lease keeper that the daemon drives; `agent/lease` has the real one. */
export interface KeeperPort {
  /** False also while writes are refused for a hand-over, during which the lease is still held. */
  isWritable(): boolean;
  state(): SiteState;
  lease(): { readonly epoch: number; readonly holder: string } | null;
  writableForSeconds(): number | null;
  witness(): Health;
  peer(): { readonly health: Health; readonly state: SiteState | null; readonly promotable: boolean | null };
  /** Codes of what it alerts of at this moment, such as CLAIM_BLOCKED_MANUAL. */
  alerts(): readonly string[];
  switching(): StatusResponse['switching'];
  veto(request: VetoRequest): Promise<void>;
  onPromise(request: PromiseRequest): PromiseResponse;
  wake(): void;
  promote(request: PromoteRequest): Promise<SwitchResponse>;
  switch(request: SwitchRequest): Promise<SwitchResponse>;
  beginReprotect(): void | Promise<void>;
  markReprotected(publish: PublishInfo): void | Promise<void>;
}

/** The epoch under which this site may write and publish at this very moment, or null. */
export function heldEpoch(keeper: Pick<KeeperPort, 'lease' | 'writableForSeconds'>): number | null {
  return (keeper.writableForSeconds() ?? 0) > 0 ? (keeper.lease()?.epoch ?? null) : null;
}

/** Monotonic time, comparable across restarts of the process as long as `bootId` is the same. */
export interface SiteClock {
  readonly bootId: string;
  monotonicMs(): number;
  /** For people and for names; never compared. */
  wallIso(): string;
}

export type RecordEvent = (kind: AgentEvent['kind'], detail: string) => void;

/**
 * The site agent's HTTP API, as the edge, the peer, the timers and the operator's CLI see it.
 *
 * The agent listens on 127.0.0.1 only; the edge passes these paths through on 443. Who may call what:
 * `/readyz` anyone; `/promotable`, `/status`, `/metrics`, `/failover/*` the operator key; `/peer/*` the peer key,
 * each as `Authorization: Bearer <key>`. `/edge/*` is for the local HAProxy and not passed through. Where a site has several
 * servers, `/server/*` is for the others of the same site, and all but `/readyz` and `/metrics` is the leader's.
 */

/** Agent API on loopback. */
export const AGENT_PORT = 7080;
/** Write gateway on loopback: the edge sends every Qdrant write here. */
export const GATEWAY_PORT = 7081;
/** The edge, for clients and peers. */
export const EDGE_PORT = 443;

/** The agent's own collection, with one point that says how far replication has come. Clients cannot write to it. */
export const HEARTBEAT_COLLECTION = 'failover-heartbeat';
/** Where restores are tested, on the site that does not hold the lease; there only meanwhile, and never published. */
export const SCRATCH_COLLECTION = 'failover-restore-test';

/** Set by an edge that passes a request to its peer, with its site's name; a request that has it is never passed on again. */
export const VIA_HEADER = 'x-failover-via';
/** Set by an edge that passes a request to another server of its site; one that has it stays where it is. */
export const HOP_HEADER = 'x-failover-hop';
/** Site that served the response. */
export const SITE_HEADER = 'x-failover-site';
/** Lease epoch under which a write was acknowledged. */
export const EPOCH_HEADER = 'x-failover-epoch';

/**
 * - active: holds the lease, writable and ready
 * - standby: does not hold it, data lineage sound; may be promoted when `/promotable` says so
 * - fenced: held it once and has not been re-protected since, or lost it without a clean hand-over; serves nothing of its own
 * - re-protecting: a fenced or empty site that is applying the holder's data
 * - unprotected: holds the lease while the peer could not take over
 * - unknown: has not seen the lease yet, or lost sight of both witness and peer
 */
export const SITE_STATES = [
  'active',
  'standby',
  'fenced',
  're-protecting',
  'unprotected',
  'unknown',
] as const;
export type SiteState = (typeof SITE_STATES)[number];

export type Health = 'healthy' | 'failing' | 'unknown';

/** A machine-readable code and a sentence for the person on call. */
export interface Reason {
  readonly code: string;
  readonly message: string;
}

/** GET /readyz: 200 when `ready`, else 503. Health checks match the text `"ready":true`. */
export interface ReadyzResponse {
  readonly ready: boolean;
  readonly site: string;
  readonly reasons: readonly Reason[];
}

/** GET /promotable: 200 when `promotable`, else 503. */
export interface PromotableResponse {
  readonly promotable: boolean;
  readonly site: string;
  readonly reasons: readonly Reason[];
}

/** The lease object as stored. `nonce` differs in every write, so that equal contents never share an ETag. */
export interface Lease {
  readonly version: 1;
  readonly epoch: number;
  readonly holder: string;
  readonly nonce: string;
  readonly ttlSeconds: number;
  /** Wall clock of the writer, for people; never compared. */
  readonly writtenAt: string;
}

/** One per change of holder, stored beside the lease as `history/<epoch, 10 digits>.json`. */
export interface LeaseHistoryEntry {
  readonly epoch: number;
  readonly holder: string;
  readonly previousHolder: string | null;
  readonly at: string;
  readonly cause: 'bootstrap' | 'expired' | 'handover-sick' | 'handover-planned' | 'promoted';
  readonly by: string;
  readonly reason: string;
  readonly dataAgeSeconds: number | null;
  readonly acceptedDataLoss: { readonly by: string; readonly reason: string } | null;
}

/** A moment in a switch, by the wall clock of the site that saw it. */
export interface AgentEvent {
  readonly at: string;
  readonly site: string;
  readonly kind:
    | 'started'
    | 'leader'
    | 'canary-failing'
    | 'canary-recovered'
    | 'engine-restart'
    | 'lease-expired-seen'
    | 'claim-decided'
    | 'claimed'
    | 'switch-proposed'
    | 'vetoed'
    | 'handover-decided'
    | 'handed-over'
    | 'fenced'
    | 'ready'
    | 'not-ready'
    | 'state'
    | 'published'
    | 'publish-failed'
    | 'applied'
    | 'apply-failed'
    | 'restore-tested'
    | 'drilled'
    | 'alert'
    | 'switch-step';
  readonly detail: string;
  readonly epoch: number | null;
}

export interface PublishInfo {
  readonly id: string;
  readonly site: string;
  readonly epoch: number;
  readonly points: number;
  readonly bytes: number;
}

/**
 * The service's name where the agent moves it. `here` was verified; `looking` has just become the holder; `failing` may
 * point anywhere.
 */
export interface DnsRecordStatus {
  readonly name: string;
  readonly state: 'not-holder' | 'looking' | 'here' | 'failing';
  readonly detail: string;
  /** In a row. */
  readonly failures: number;
  /** Since the agent started. */
  readonly moves: number;
  readonly checkedAgeSeconds: number | null;
}

export type AlertSeverity = 'critical' | 'error' | 'warning' | 'info';

/** What the agent alerts of, and how telling it goes. */
export interface AlertsStatus {
  readonly open: readonly {
    readonly key: string;
    readonly severity: AlertSeverity;
    readonly summary: string;
    readonly since: string;
  }[];
  readonly targets: readonly {
    readonly kind: string;
    /** Messages still to be delivered. */
    readonly waiting: number;
    readonly delivered: number;
    /** Given up because the target will never take them. */
    readonly refused: number;
    /** Null while the last try went well. */
    readonly trouble: string | null;
  }[];
}

/** What each site probes of itself: one token, a read in each collection, its own edge by TLS. */
export const CANARY_PARTS = ['inference', 'vectors', 'edge'] as const;
export type CanaryPart = (typeof CANARY_PARTS)[number];

/** POST /server/standing: what a server of a site with several tells its leader of itself, ... */
export interface StandingRequest {
  readonly server: string;
  readonly canary: Readonly<Record<CanaryPart, Health>>;
}
/** ... and what the leader answers. All other servers answer 503. */
export interface StandingResponse {
  readonly leader: string;
  readonly term: number;
  readonly state: SiteState;
  readonly holder: string | null;
  readonly writable: boolean;
  /** The site holds the lease for at least so long from when this was asked; 0 when it does not. */
  readonly holdsForSeconds: number;
  /** As the leader sees the other site. */
  readonly peer: Health;
  /** A publish is being put into the site's Qdrant, during which reads of it may fail. */
  readonly applying: boolean;
}
/** POST /server/promise: a leader that cannot reach the witness asks the others not to begin to lead. */
export interface ServerPromiseRequest {
  readonly from: string;
  readonly term: number;
}
export interface ServerPromiseResponse {
  readonly granted: boolean;
}

export interface CanaryStatus {
  readonly health: Health;
  readonly ageSeconds: number | null;
  readonly detail: string;
}

/** A heartbeat is told from others by the epoch, the process that wrote it and its number there. */
export interface HeartbeatMark {
  readonly epoch: number;
  readonly run: string;
  readonly sequence: number;
}
/** What would be lost now, measured by a point that travels the way of all data. */
export interface HeartbeatStatus {
  /** The newest in this site's own data. */
  readonly found: HeartbeatMark | null;
  /** Holder: since the newest that was acknowledged. */
  readonly writtenAgeSeconds: number | null;
  /** Holder: what the other site's data lack, by the heartbeat that it holds; null while that is not known. */
  readonly loss: {
    readonly seconds: number;
    readonly writes: number;
    /** The other site holds a heartbeat that this process did not send: it may be more. */
    readonly atLeast: boolean;
  } | null;
  /** Holder: since the other site last said which it holds. */
  readonly reportAgeSeconds: number | null;
}

export interface DigestStatus {
  /** Null: what is here has not been compared, or not yet. */
  readonly verdict: {
    readonly publishId: string;
    readonly result: 'same' | 'different' | 'absent';
    /** What differs, with ids; or which collections were published without a digest, and why. */
    readonly details: readonly string[];
    readonly points: number;
    readonly seconds: number;
  } | null;
  readonly comparing: boolean;
  /** Since every point here was last found to be the publisher's. */
  readonly sameAgeSeconds: number | null;
  /** Collections of this site's last publish that have no digest, with the reason; null before its first. */
  readonly absentFromPublish: readonly string[] | null;
}

/** What the newest restore test found: a publish drawn from the history, and one of its collections. */
export interface RestoreTestVerdict {
  readonly publishId: string;
  readonly collection: string;
  readonly result: 'passed' | 'failed';
  /** What was wrong; and what is too big to be tested at this site. */
  readonly details: readonly string[];
  readonly points: number;
  readonly bytes: number;
  readonly seconds: number;
}
export interface RestoreTestStatus {
  readonly verdict: RestoreTestVerdict | null;
  /** Since the verdict; without one, since this site first waited for a test. Null when its clock was set back. */
  readonly ageSeconds: number | null;
}

/** The newest drill that the operator's command told of. */
export interface DrillStatus {
  readonly last: { readonly id: string; readonly scenario: string; readonly passed: boolean } | null;
  /** Since then; without one, since this site first waited for one. Null when its clock was set back. */
  readonly ageSeconds: number | null;
}

/** Mode veto: a switch that waits for somebody to say no. */
export interface ProposalStatus {
  readonly kind: 'claim' | 'handover';
  /** The site that takes over. */
  readonly to: string;
  /** What is wrong. */
  readonly wrong: string;
  readonly sinceSeconds: number;
  readonly decidesInSeconds: number;
  /** The same by the wall clock of the site that told it, for people. */
  readonly decidesAt: string;
}

/** GET /status and GET /peer/status. */
export interface StatusResponse {
  readonly site: string;
  /** Where the site has several: who leads it and answers this, and what the others last said of themselves. */
  readonly servers?: {
    readonly leader: string;
    readonly term: number;
    readonly others: readonly StandingRequest[];
  };
  readonly state: SiteState;
  readonly ready: boolean;
  readonly writable: boolean;
  readonly lease: { readonly epoch: number; readonly holder: string } | null;
  /** Seconds until this site stops being writable unless it renews; null when it does not hold the lease. */
  readonly writableForSeconds: number | null;
  readonly witness: Health;
  readonly peer: {
    readonly health: Health;
    readonly state: SiteState | null;
    readonly promotable: boolean | null;
    /** The weights that it served when it was last seen; null when it never was. */
    readonly modelSha256?: string | null;
  };
  readonly canary: Readonly<Record<CanaryPart, CanaryStatus>>;
  readonly promotable: PromotableResponse;
  /** Last publish made by this site. */
  readonly published: (PublishInfo & { readonly ageSeconds: number }) | null;
  /** Last publish applied and verified here. `dataAgeSeconds` is what would be lost by promoting this site now. */
  readonly applied: (PublishInfo & { readonly dataAgeSeconds: number }) | null;
  readonly busy: 'publish' | 'apply' | 'restore' | 'restore-test' | 'switch' | null;
  readonly versions: { readonly agent: string; readonly qdrant: string | null; readonly vllm: string | null };
  readonly parity: {
    readonly configHash: string;
    readonly modelSha256: string;
    /** The version before, while sites change over. */
    readonly replacesModelSha256?: string | undefined;
    readonly qdrantVersion: string;
  };
  readonly switching: {
    readonly mode: string;
    /** What this site does by itself unless it is vetoed; absent when nothing is proposed. */
    readonly proposal?: ProposalStatus;
    readonly veto?: { readonly by: string; readonly reason: string; readonly leftSeconds: number };
  };
  /** Of the data here, compared point by point with what was published. */
  readonly digest?: DigestStatus;
  readonly heartbeat?: HeartbeatStatus;
  readonly restoreTest?: RestoreTestStatus;
  readonly drill?: DrillStatus;
  /** What this site had set aside, newest last. */
  readonly diverged?: readonly DivergedSummary[];
  /** Absent where DNS follows readiness by itself. */
  readonly dnsRecord?: DnsRecordStatus;
  /** Absent where the agent alerts nobody. */
  readonly alerts?: AlertsStatus;
  /** Newest last, at most 200. */
  readonly events: readonly AgentEvent[];
}

/** Body of POST /failover/promote (to the site that is to be promoted). */
export interface PromoteRequest {
  readonly by: string;
  readonly reason: string;
  readonly acceptDataLoss?: boolean;
}
/** Body of POST /failover/switch (to the holder): planned, nothing lost. Answers when done: {epoch, holder}. */
export interface SwitchRequest {
  readonly by: string;
  readonly reason: string;
}
/** Body of POST /failover/veto (to both sites): no switch but a person's for so long; 0 lifts it. */
export interface VetoRequest {
  readonly by: string;
  readonly reason: string;
  readonly forSeconds: number;
}
/** Longest veto, in seconds: a day. */
export const MAX_VETO_SECONDS = 86_400;
/** Body of POST /failover/reprotect (to a fenced or empty site): applies the holder's data, becomes standby. */
export interface ReprotectRequest {
  readonly by: string;
  readonly reason: string;
}
/** Body of POST /failover/drilled (to every site): a drill has ended. → DrillStatus */
export interface DrilledRequest {
  readonly id: string;
  readonly scenario: string;
  readonly passed: boolean;
}
/** Answer of promote and switch. */
export interface SwitchResponse {
  readonly epoch: number;
  readonly holder: string;
}
/** POST /failover/publish → PublishInfo, or 409 {skipped} when this site is not the holder. */
/** POST /failover/apply → PublishInfo, or 409 {skipped} when there is nothing to apply or this site may not. */
export interface SkippedResponse {
  readonly skipped: Reason;
}

/** POST /failover/restore-test → RestoreTestVerdict, or 409 {skipped} where this site is not the one that stands by. */

/** One of GET /failover/publishes: what can be restored, newest first. */
export interface PublishListing extends PublishInfo {
  /** By the publisher's clock, ISO 8601. */
  readonly at: string;
  /** It is the one that `latest` names. */
  readonly latest: boolean;
}
export interface PublishesResponse {
  readonly publishes: readonly PublishListing[];
}

/**
 * POST /failover/restore, to the holder: the service's data is to be that of an earlier publish. → PublishInfo of the
 * publish that then carries it to the standby, or 409 {skipped}.
 */
export interface RestoreRequest {
  /** A publish's id, or an ISO 8601 time: the newest publish up to then. */
  readonly at: string;
  readonly by: string;
  readonly reason: string;
}

/** POST /peer/promise: "you may go on without the witness". */
export interface PromiseRequest {
  readonly from: string;
  readonly epoch: number;
}
export interface PromiseResponse {
  /** True: this site has not claimed the lease and will not within one TTL from receipt. */
  readonly granted: boolean;
  readonly epoch: number;
}
/** POST /peer/apply {publishId}: apply exactly this publish, verify, answer PublishInfo. */
export interface PeerApplyRequest {
  readonly publishId: string;
}
/** POST /peer/digest: what the publisher had in one of a collection's 256 buckets at a publish. */
export interface PeerDigestRequest {
  readonly publishId: string;
  readonly collection: string;
  readonly bucket: number;
}
export interface PeerDigestResponse {
  /** Id as JSON text, hash of the payload, hash of the vectors; null when the publisher no longer knows. */
  readonly entries: readonly (readonly [string, string, string])[] | null;
}
/** POST /peer/wake: look at the lease now. 204. */

/**
 * What a site had for itself when it was overwritten, compared with the publish that the new holder began from. Writes that
 * nobody else has, until they are merged.
 */
export interface DivergedSummary {
  /** Of the lease under which this site was overwritten; names the set-aside data. */
  readonly epoch: number;
  readonly at: string;
  readonly folder: string;
  /** Null when the data were set aside without a list, by an older agent. */
  readonly counts: DivergedCounts | null;
  /** The publish that both sides started from; null when this site no longer knew it: then all its points are listed. */
  readonly base: string | null;
  readonly merged: {
    readonly at: string;
    readonly by: string;
    readonly reason: string;
    readonly policy: MergePolicy;
    readonly outcome: MergeOutcome;
  } | null;
}
export interface DivergedCounts {
  readonly inserted: number;
  readonly changed: number;
  readonly deleted: number;
  /** Not known whether inserted, changed, or the same as in the publish. */
  readonly unknown: number;
  /** Collections made or deleted only here. */
  readonly collections: number;
}

/** `list` changes nothing; the others say whose point stays where both sides have changed it. */
export const MERGE_POLICIES = ['list', 'keep-holder', 'keep-diverged'] as const;
export type MergePolicy = (typeof MERGE_POLICIES)[number];

/** How many of the listed operations ended how; `list` counts what would be. */
export interface MergeOutcome {
  /** Brought to the holder. */
  readonly applied: number;
  /** There already, as in an earlier merge. */
  readonly present: number;
  /** Changed on both sides, decided by the policy; `list` decides nothing. */
  readonly conflicts: number;
}

/** POST /failover/diverged → DivergedResponse. */
export interface DivergedResponse {
  readonly diverged: readonly DivergedSummary[];
}
/** POST /failover/diverged/page: lines of the list, from a byte offset on. */
export interface DivergedPageRequest {
  readonly epoch: number;
  readonly offset: number;
}
export interface DivergedPageResponse {
  /** JSON each, with integers of 64 bits as they are: not to be parsed and printed again on the way. */
  readonly lines: readonly string[];
  /** Null at the end. */
  readonly next: number | null;
}
/** POST /failover/diverged/merged: the whole list has been through a merge. */
export interface DivergedMergedRequest {
  readonly epoch: number;
  readonly by: string;
  readonly reason: string;
  readonly policy: MergePolicy;
  readonly outcome: MergeOutcome;
}
/** POST /failover/merge, to the holder: lines of another site's list, through this site's write gateway. */
export interface MergeRequest {
  readonly lines: readonly string[];
  readonly policy: MergePolicy;
  readonly by: string;
  readonly reason: string;
  /** First page of a merge: who asked for it is recorded. */
  readonly first: boolean;
}
export interface MergeResponse {
  readonly outcome: MergeOutcome;
  /** Of the conflicts: what and why. */
  readonly conflicts: readonly { readonly collection: string; readonly id: string; readonly why: string }[];
}

/** Every error answer: HTTP 4xx/5xx with this body. */
export interface ErrorResponse {
  readonly error: Reason;
}

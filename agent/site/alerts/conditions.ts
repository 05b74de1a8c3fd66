/** What a person should be told of this site, from what is known of it. Pure; how long a condition must last comes with it. */
import {
  CANARY_PARTS,
  type AgentEvent,
  type AlertSeverity,
  type CanaryPart,
  type DnsRecordStatus,
  type DrillStatus,
  type Health,
  type HeartbeatStatus,
  type PromotableResponse,
  type ProposalStatus,
  type RestoreTestStatus,
  type SiteState,
  type StandingRequest,
} from '../../../infra/contract/agent-api';
import type { EngineRestartsView } from '../recovery/engine-restart';
import { now, type Condition } from './condition';
import { replicationConditions } from './replication-conditions';

export type { Condition } from './condition';

/** This site has taken the lease, and no switch since has made that history. */
export interface TookOver {
  readonly epoch: number;
  /** As the lease keeper tells it: `expired`, `promoted`, `handed over by …`. */
  readonly how: string;
}

export interface AlertFacts {
  readonly site: string;
  readonly state: SiteState;
  readonly holds: boolean;
  readonly lease: { readonly epoch: number; readonly holder: string } | null;
  readonly promotable: Pick<PromotableResponse, 'promotable' | 'reasons'>;
  readonly canary: Readonly<Record<CanaryPart, { readonly health: Health; readonly detail: string }>>;
  /** What the site's other servers last said of themselves; unknown in all parts where they have not said so lately. */
  readonly otherServers?: readonly StandingRequest[];
  readonly engineRestarts: EngineRestartsView;
  /** Of what this site holds in readiness; null for the holder and when unknown. */
  readonly dataAgeSeconds: number | null;
  /** Of this site's last publish. */
  readonly publishedAgeSeconds: number | null;
  readonly rpoSeconds: number;
  /** What the data here were found to have otherwise than they were published. */
  readonly differences: readonly string[];
  /** Writes that were set aside here and that nobody has decided about. */
  readonly unmergedWrites: number;
  readonly heartbeat: HeartbeatStatus | undefined;
  readonly restoreTest: RestoreTestStatus;
  readonly restoreTestIntervalHours: number;
  readonly drill: DrillStatus;
  readonly drillIntervalDays: number;
  /** Codes that the lease keeper alerts of at this moment, with what it said. */
  readonly leaseAlerts: ReadonlyMap<string, string>;
  readonly dnsRecord: DnsRecordStatus | undefined;
  /** What this site will do unless somebody says no. */
  readonly proposal: ProposalStatus | undefined;
  readonly tookOver: TookOver | null;
  readonly unprotectedAfterSeconds: number;
}

/** A server that is restarted on purpose is back by then. */
const SERVER_SECONDS = 60;
/** A record that could not be moved so many times in a row is a matter for people. */
const DNS_FAILURES = 3;
/** A site that has just taken the lease counts as fenced until that is on its disk. */
const OWN_FENCED_SECONDS = 10;
const MANUAL = 'CLAIM_BLOCKED_MANUAL';
/** Codes of the lease keeper that can wait until morning; all others cannot. */
const LESSER: Readonly<Partial<Record<string, AlertSeverity>>> = { FAILSAFE: 'error' };

export function conditionsOf(facts: AlertFacts): readonly Condition[] {
  return [
    ...fenced(facts),
    ...proposal(facts),
    ...tookOver(facts),
    ...leaseAlerts(facts),
    ...protection(facts),
    ...canaries(facts),
    ...otherServers(facts),
    ...engineRestarts(facts),
    ...replicationConditions(facts),
    ...dns(facts),
    ...drills(facts),
  ];
}

function fenced({ site, state, lease }: AlertFacts): Condition[] {
  if (state !== 'fenced') return [];
  const elsewhere = lease !== null && lease.holder !== site;
  const detail = elsewhere
    ? `${lease.holder} holds the lease. Its data may have writes that nobody else has: \`failover reprotect\` exports and replaces them.`
    : 'No site is known to hold the lease: see `failover status`.';
  const condition = now('fenced', elsewhere ? 'warning' : 'critical', `${site} is fenced`, detail);
  return [elsewhere ? condition : { ...condition, afterSeconds: OWN_FENCED_SECONDS }];
}

/** Losing one of several servers is no failover, and nobody would notice. */
function otherServers({ site, otherServers: others }: AlertFacts): Condition[] {
  return (others ?? []).flatMap(({ server, canary }): Condition[] => {
    const unwell = CANARY_PARTS.filter((part) => canary[part] !== 'healthy');
    if (unwell.length === 0) return [];
    const detail = `${unwell.map((part) => `${part} ${canary[part]}`).join(', ')}. The site goes on with its other servers.`;
    const condition = now(`server-${server}`, 'error', `${server} of ${site} is not well`, detail);
    return [{ ...condition, afterSeconds: SERVER_SECONDS }];
  });
}

/** The one alert that waits for an answer: what is wrong, since when, what will happen when, and how to stop or hasten it. */
function proposal({
  site,
  proposal: proposed,
  promotable,
  canary,
  dataAgeSeconds,
  holds,
}: AlertFacts): Condition[] {
  if (proposed === undefined) return [];
  const { kind, to, wrong, sinceSeconds, decidesAt } = proposed;
  const here = `Here: ${CANARY_PARTS.map((part) => `${part} ${canary[part].health} (${canary[part].detail})`).join(', ')}.`;
  const age = dataAgeSeconds === null ? 'of unknown age' : `${Math.round(dataAgeSeconds)} s old`;
  const verdict = holds
    ? `${here} A last publish comes first; nothing is lost if it succeeds.`
    : `${site} ${promotable.promotable ? 'can take over' : 'could not take over'}; its data is ${age}, which is what would be lost.`;
  const sooner = kind === 'claim' ? `promote --site ${to}` : 'switch';
  const detail = [
    `${wrong} (told ${Math.round(sinceSeconds)} s ago). ${verdict}`,
    'To stop it: failover veto --by NAME --reason TEXT --for 30m',
    `To do it now: failover ${sooner} --by NAME --reason TEXT`,
  ].join('\n');
  const summary = `${to} takes over at ${decidesAt} unless somebody vetoes it`;
  return [now(`proposed-${kind}`, 'critical', summary, detail)];
}

function tookOver({ site, state, lease, tookOver: taken }: AlertFacts): Condition[] {
  const over = state === 'active' || (lease !== null && lease.holder !== site);
  return taken === null || over ? [] : [takeOverOf(site, taken)];
}

/** Told even if it is over by the next look. */
export function takeOverOf(site: string, { epoch, how }: TookOver): Condition {
  return now(
    `took-over-${epoch}`,
    how.startsWith('expired') ? 'critical' : 'warning',
    `${site} has taken over (epoch ${epoch}, ${how})`,
    'Over when the other site could take over again.',
  );
}

/** @returns null for events that are no take-over, the very first lease among them */
export function takeOverIn({ kind, detail }: Pick<AgentEvent, 'kind' | 'detail'>): TookOver | null {
  const match = kind === 'claimed' ? /^epoch (\d+), (.+)$/.exec(detail) : null;
  if (match?.[1] === undefined || match[2] === undefined || match[2] === 'bootstrap') return null;
  return { epoch: Number(match[1]), how: match[2] };
}

/** The keeper takes some of its alerts back only when this site holds again; others may have mended the matter before. */
function isPast(code: string, { site, holds, lease }: AlertFacts): boolean {
  if (code === 'LEASE_MISSING') return lease !== null;
  if (code === 'LEASE_NOT_OURS') return lease !== null && lease.holder !== site;
  return (code === 'FAILSAFE' || code === 'SICK_HOLDER') && !holds;
}

function leaseAlerts(facts: AlertFacts): Condition[] {
  const { site, leaseAlerts: codes } = facts;
  const current = [...codes].filter(([code]) => !isPast(code, facts));
  return current.map(([code, message]) =>
    code === MANUAL
      ? now('promotion-pending', 'critical', `${site} waits for a person to let it take over`, message)
      : now(
          `lease-${code.toLowerCase().replaceAll('_', '-')}`,
          LESSER[code] ?? 'critical',
          `${site}: ${code}`,
          message,
        ),
  );
}

function protection(facts: AlertFacts): Condition[] {
  const { site, state, holds, promotable, unprotectedAfterSeconds: afterSeconds } = facts;
  if (state === 'unprotected')
    return [
      {
        ...now(
          'unprotected',
          'error',
          `${site} serves and nobody could take over from it`,
          'See `failover status`.',
        ),
        afterSeconds,
      },
    ];
  // Fenced has an alert of its own.
  if (holds || state === 'fenced' || promotable.promotable) return [];
  const detail = promotable.reasons.map(({ message }) => message).join(' ');
  return [{ ...now('not-promotable', 'error', `${site} could not take over`, detail), afterSeconds }];
}

function canaries({ site, holds, canary, unprotectedAfterSeconds }: AlertFacts): Condition[] {
  return CANARY_PARTS.flatMap((part): Condition[] => {
    const { health, detail } = canary[part];
    const severity = holds ? 'critical' : 'error';
    if (health === 'failing')
      return [now(`canary-${part}`, severity, `${part} of ${site} is failing`, detail)];
    if (health === 'healthy') return [];
    return [
      {
        ...now(`canary-${part}-unknown`, severity, `${part} of ${site} is not known to work`, detail),
        afterSeconds: unprotectedAfterSeconds,
      },
    ];
  });
}

/** The next stuck engine stays so, until the hour is over or a person restarts it. */
function engineRestarts({ site, engineRestarts: { inLastHour, perHour } }: AlertFacts): Condition[] {
  if (perHour === 0 || inLastHour < perHour) return [];
  const summary = `the engine of ${site} has had all ${perHour} restarts of this hour`;
  return [now('engine-restarts', 'error', summary, 'Why it sticks: `journalctl -u failover-vllm`.')];
}

/** A failover that nobody tests is theatre. Told by the holder, so that it is told once. */
function drills({ holds, drill: { last, ageSeconds }, drillIntervalDays: days }: AlertFacts): Condition[] {
  if (!holds) return [];
  if (last?.passed === false) {
    const detail =
      'It missed an objective, or was stopped: its report says which. Mend that, then drill again.';
    return [now('drill-failed', 'error', `the last drill, ${last.id}, did not pass`, detail)];
  }
  if (days === 0 || (ageSeconds !== null && ageSeconds <= days * 86_400)) return [];
  const detail = '`failover drill planned-switch`, announced, in an hour with little traffic.';
  return [now('drill-overdue', 'warning', `no drill for more than ${days} days`, detail)];
}

function dns({ site, dnsRecord }: AlertFacts): Condition[] {
  if (dnsRecord === undefined || dnsRecord.state !== 'failing' || dnsRecord.failures < DNS_FAILURES)
    return [];
  const summary = `${dnsRecord.name} cannot be pointed at ${site}`;
  return [now('dns-record', 'critical', summary, dnsRecord.detail)];
}

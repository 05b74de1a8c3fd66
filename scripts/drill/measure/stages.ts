/** Where the time went: fault → detected → decided → lease → ready → DNS → first success → all well. */
import type { AgentEvent } from '../../../infra/contract/agent-api';
import { everyAnswerIs } from '../clients/watchers';
import type { DnsChange, DrillRecord } from '../record';
import { scenarioOf } from '../scenarios';
import { faultMoment } from './fault-moment';

export interface Stage {
  readonly stage: 'detected' | 'decided' | 'lease' | 'ready' | 'dns' | 'first-success' | 'all-well';
  readonly label: string;
  /** Milliseconds of the drill's clock; null when nobody recorded it. */
  readonly at: number | null;
  readonly secondsSinceFault: number | null;
}

/** A site's clock is only corrected when it is further off than its Date header can be read. */
const BELIEVABLE_SKEW_SECONDS = 2;

/** When an event happened, by the drill's clock. */
export function eventTime(event: AgentEvent, clockAhead: Readonly<Record<string, number>>): number {
  const ahead = clockAhead[event.site] ?? 0;
  return Date.parse(event.at) - (Math.abs(ahead) > BELIEVABLE_SKEW_SECONDS ? ahead * 1000 : 0);
}

export function stagesOf(record: DrillRecord, allWellAt: number | null): Stage[] {
  const { from, to, marks } = record;
  const fault = faultMoment(record);
  // Where nothing may switch there are no stages of a switch.
  if (fault === null || scenarioOf(record).expect === 'stay') return [];
  const until = marks.failbackStarted ?? marks.ended ?? Number.POSITIVE_INFINITY;
  // Agents stamp whole or broken seconds of their own clock: a moment of slack before the fault.
  const first = (site: string | null, ...kinds: AgentEvent['kind'][]): number | null =>
    earliest(
      record.events
        .filter((event) => kinds.includes(event.kind) && (site === null || event.site === site))
        .map((event) => eventTime(event, record.clockAhead))
        .filter((at) => at >= fault - 50 && at < until),
    );
  const labels = WORDS[scenarioOf(record).cause ?? 'none'] ?? DEFAULT_WORDS;
  const lease =
    first(to, 'claimed') ??
    first(from, 'handed-over') ??
    earliest(
      record.leases
        .filter((change) => change.holder === to && change.at >= fault && change.at < until)
        .map((c) => c.at),
    );
  const moments: [Stage['stage'], string, number | null][] = [
    ['detected', labels[0], first(to, 'lease-expired-seen') ?? first(from, 'canary-failing')],
    ['decided', labels[1], first(to, 'claim-decided') ?? first(from, 'handover-decided', 'switch-step')],
    ['lease', `${to} holds the lease`, lease],
    ['ready', `${to} is ready`, first(to, 'ready') ?? becameActive(record, fault, until)],
    [
      'dns',
      `every nameserver that answers says ${to}`,
      dnsSettled(record, fault, Math.min(until, marks.recovered ?? until)),
    ],
    ['first-success', 'first success of a cold client there', firstColdSuccess(record, fault, until)],
    ['all-well', 'every client well again', allWellAt],
  ];
  return moments.map(([stage, label, at]) => ({
    stage,
    label,
    at,
    secondsSinceFault: at === null ? null : Math.max(0, at - fault) / 1000,
  }));
}

/** An agent says that its site became ready by its change of state. */
function becameActive(record: DrillRecord, fault: number, until: number): number | null {
  return earliest(
    record.events
      .filter(
        (event) =>
          event.kind === 'state' && event.site === record.to && /→ (active|unprotected)/.test(event.detail),
      )
      .map((event) => eventTime(event, record.clockAhead))
      .filter((at) => at >= fault && at < until),
  );
}

const DEFAULT_WORDS = ['seen', 'decided'] as const;
const WORDS: Readonly<Record<string, readonly [string, string]>> = {
  'holder-lost': ['the standby sees the lease run out', 'the standby decides to claim'],
  'holder-sick': ["the holder's canary fails", 'the holder decides to hand over'],
  planned: ['(nothing to detect)', 'the holder starts the switch'],
};

function earliest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}

/**
 * First moment from which the latest answer of every nameserver that gives one is the new site and nothing else. What a
 * repaired site's own nameserver says first does not count: the drill had seen the service whole by then.
 */
function dnsSettled(record: DrillRecord, fault: number, until: number): number | null {
  const latest = new Map<string, DnsChange>();
  let settled: number | null = null;
  for (const change of [...record.dns].sort((a, b) => a.at - b.at)) {
    if (change.at >= until) break;
    latest.set(change.nameserver, change);
    if (!everyAnswerIs([...latest.values()], record.to)) settled = null;
    else if (change.at >= fault) settled ??= change.at;
  }
  return settled;
}

function firstColdSuccess(record: DrillRecord, fault: number, until: number): number | null {
  const cold = new Set(
    record.clients.filter((client) => client.kind === 'cold').map((client) => client.name),
  );
  return earliest(
    record.attempts
      .filter(
        (attempt) =>
          attempt.ok &&
          attempt.site === record.to &&
          cold.has(attempt.client) &&
          attempt.end >= fault &&
          attempt.end < until,
      )
      .map((attempt) => attempt.end),
  );
}

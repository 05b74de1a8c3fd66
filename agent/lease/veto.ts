/**
 * What the agents mean to do by themselves is told in time for somebody to say no (mode `veto`), and a no is heeded in
 * every mode. People's own requests, `promote` and `switch`, need nobody's silence.
 */
import type { Reason, StatusResponse, VetoRequest } from '../../infra/contract/agent-api';
import { emit, remember } from './draft';
import type { Draft, LeaseState, Proposal } from './model';

/** Why this site must not switch by itself at this moment, or null when nobody minds. */
export function withheld(d: Draft, kind: Proposal['kind'], wrong: string): Reason | null {
  const { s, e } = d;
  const { veto } = s.persisted;
  if (veto !== null && e.now < s.vetoUntil) {
    withdraw(d, kind, 'vetoed');
    const leftSeconds = Math.ceil((s.vetoUntil - e.now) / 1000);
    return { code: 'VETOED', message: `vetoed by ${veto.by} for ${leftSeconds} s more: ${veto.reason}` };
  }
  if (s.config.mode !== 'veto') return null;
  if (s.proposal?.kind !== kind || isStale(s, s.proposal, e.now)) propose(d, kind, wrong);
  const decidesAt = s.proposal?.decidesAt ?? Infinity;
  return e.now >= decidesAt
    ? null
    : { code: 'PROPOSED', message: `${wrong}; this site acts on it unless somebody vetoes it` };
}

/** Silence of long ago is no consent: what could not be done for a while is told anew. */
function isStale(s: LeaseState, { decidesAt }: Proposal, now: number): boolean {
  return now > decidesAt + s.config.graceMs + 2 * s.config.ttlMs;
}

function propose(d: Draft, kind: Proposal['kind'], wrong: string): void {
  const { s, e } = d;
  const { graceMs, site, peer } = s.config;
  const decidesAtWall = new Date(Date.parse(e.wall) + graceMs).toISOString();
  s.proposal = { kind, wrong, since: e.now, decidesAt: e.now + graceMs, decidesAtWall };
  const to = kind === 'claim' ? site : peer;
  emit(d, 'switch-proposed', `${wrong}; ${to} takes over in ${graceMs / 1000} s unless somebody vetoes it`);
}

/** The reason for a proposal is gone, or somebody has said no. */
export function withdraw(d: Draft, kind: Proposal['kind'], why: string): void {
  if (d.s.proposal?.kind !== kind) return;
  d.s.proposal = null;
  emit(d, 'switch-step', `proposed ${kind} withdrawn: ${why}`);
}

/** For people: what is about to happen by itself, and who has said no. */
export function switchingView(
  s: LeaseState,
  now: number,
): Pick<StatusResponse['switching'], 'proposal' | 'veto'> {
  const { proposal } = s;
  const { veto } = s.persisted;
  return {
    ...(proposal === null
      ? {}
      : {
          proposal: {
            kind: proposal.kind,
            to: proposal.kind === 'claim' ? s.config.site : s.config.peer,
            wrong: proposal.wrong,
            sinceSeconds: (now - proposal.since) / 1000,
            decidesInSeconds: Math.max(0, (proposal.decidesAt - now) / 1000),
            decidesAt: proposal.decidesAtWall,
          },
        }),
    ...(veto === null || now >= s.vetoUntil
      ? {}
      : { veto: { by: veto.by, reason: veto.reason, leftSeconds: (s.vetoUntil - now) / 1000 } }),
  };
}

export function vetoAsked(d: Draft, { by, reason, forSeconds }: VetoRequest): void {
  const { s, e } = d;
  const lifted = forSeconds === 0;
  s.vetoUntil = lifted ? -Infinity : e.now + forSeconds * 1000;
  remember(d, { veto: lifted ? null : { by, reason, at: e.wall, forSeconds } });
  emit(d, 'vetoed', lifted ? `veto lifted by ${by}: ${reason}` : `by ${by} for ${forSeconds} s: ${reason}`);
}

/** The whole picture in one look: both sites, the lease, DNS, how old the data is, and what is not as it should be. */
import type { Reason, StatusResponse } from '../../infra/contract/agent-api';
import type { OperatorContext } from './context';
import { queryAddresses } from './dns';
import { describe } from './errors';
import type { LeaseReader, LeaseView } from './lease-store';
import type { SitePort } from './site-client';

export interface SiteView {
  readonly site: string;
  readonly addresses: readonly string[];
  readonly status: StatusResponse | null;
  /** Why there is no status. */
  readonly silence: string | null;
  readonly clockAheadSeconds: number | null;
}

export interface DnsView {
  readonly nameserver: string;
  readonly addresses: readonly string[];
  /** Sites whose addresses were answered. */
  readonly sites: readonly string[];
  readonly ttlSeconds: number | null;
  readonly error: string | null;
}

export interface Overview {
  readonly at: string;
  readonly service: string;
  readonly sites: readonly SiteView[];
  /** As the witness has it, else as the sites know it. */
  readonly lease: (LeaseView & { readonly source: string }) | null;
  readonly leaseError: string | null;
  readonly dns: readonly DnsView[];
  /** The site that serves and writes, when exactly one does. */
  readonly active: string | null;
  /** What keeps this from being the steady state; empty when it is. */
  readonly findings: readonly Reason[];
}

export async function observe(
  context: OperatorContext,
  sites: readonly SitePort[],
  leases: LeaseReader | null,
  timeoutMs = 4_000,
): Promise<Overview> {
  const [views, lease, dns] = await Promise.all([
    Promise.all(sites.map((site) => observeSite(site, timeoutMs))),
    leases === null ? null : readLease(leases),
    Promise.all(context.nameservers.map((server) => observeDns(context, server, timeoutMs))),
  ]);
  const known = lease?.view ?? null;
  const leaseSeen = known === null ? leaseFromSites(views) : { ...known, source: 'witness' };
  const partial = {
    at: new Date().toISOString(),
    service: context.service.host,
    sites: views,
    lease: leaseSeen,
    leaseError: lease?.error ?? null,
    dns,
    active: activeSite(views),
  };
  return { ...partial, findings: findingsOf(partial, context.budget.rpo.objectiveSeconds) };
}

async function observeSite(port: SitePort, timeoutMs: number): Promise<SiteView> {
  const base = { site: port.site.site, addresses: port.site.addresses };
  try {
    const { status, clockAheadSeconds } = await port.status(timeoutMs);
    return { ...base, status, silence: null, clockAheadSeconds };
  } catch (error) {
    return { ...base, status: null, silence: describe(error), clockAheadSeconds: null };
  }
}

async function readLease(leases: LeaseReader): Promise<{ view: LeaseView | null; error: string | null }> {
  try {
    return { view: await leases.lease(), error: null };
  } catch (error) {
    return { view: null, error: describe(error) };
  }
}

async function observeDns(
  context: OperatorContext,
  server: { address: string; port: number },
  timeoutMs: number,
): Promise<DnsView> {
  const nameserver = server.address;
  try {
    const answer = await queryAddresses(server, context.service.host, timeoutMs);
    return {
      nameserver,
      addresses: answer.addresses,
      sites: sitesAt(context, answer.addresses),
      ttlSeconds: answer.ttlSeconds,
      error: null,
    };
  } catch (error) {
    return { nameserver, addresses: [], sites: [], ttlSeconds: null, error: describe(error) };
  }
}

/** Names of the sites that these addresses belong to, each once. */
export function sitesAt(context: OperatorContext, addresses: readonly string[]): string[] {
  return context.sites
    .filter((site) => site.addresses.some((address) => addresses.includes(address)))
    .map((site) => site.site);
}

export function isHolding(status: StatusResponse): boolean {
  return status.state === 'active' || status.state === 'unprotected';
}

function activeSite(views: readonly SiteView[]): string | null {
  const holding = views.filter((view) => view.status !== null && isHolding(view.status));
  return holding.length === 1 ? (holding[0]?.site ?? null) : null;
}

function leaseFromSites(views: readonly SiteView[]): (LeaseView & { source: string }) | null {
  let best: (LeaseView & { source: string }) | null = null;
  for (const view of views) {
    const lease = view.status?.lease ?? null;
    if (lease !== null && (best === null || lease.epoch > best.epoch)) best = { ...lease, source: view.site };
  }
  return best;
}

/** Why this is not the steady state: one site active, its peer promotable, everybody agreeing, DNS following. */
export function findingsOf(overview: Omit<Overview, 'findings'>, rpoSeconds: number): Reason[] {
  const findings: Reason[] = [];
  const add = (code: string, message: string): number => findings.push({ code, message });

  const holding = overview.sites.filter((view) => view.status !== null && isHolding(view.status));
  if (holding.length === 0)
    add('no-active-site', 'no site that answers holds the lease: writes are refused everywhere');
  if (holding.length > 1) {
    add(
      'two-active-sites',
      `${holding.map((view) => view.site).join(' and ')} both say that they hold the lease`,
    );
  }
  for (const view of overview.sites) {
    if (view.status === null) {
      add('site-silent', view.silence ?? `${view.site} does not answer`);
      continue;
    }
    const { status } = view;
    for (const { server, canary } of status.servers?.others ?? []) {
      const unwell = Object.entries(canary).filter(([, health]) => health !== 'healthy');
      if (unwell.length > 0) {
        add(
          'server-not-well',
          `${server} of ${view.site}: ${unwell.map(([part, health]) => `${part} ${health}`).join(', ')}`,
        );
      }
    }
    if (status.witness !== 'healthy')
      add('witness-not-healthy', `${view.site} sees the witness as ${status.witness}`);
    if (isHolding(status)) {
      if (!status.ready) add('active-not-ready', `${view.site} holds the lease but is not ready`);
      if (!status.writable) add('active-not-writable', `${view.site} holds the lease but is not writable`);
      continue;
    }
    if (status.state !== 'standby') add('peer-not-standby', `${view.site} is ${status.state}, not standby`);
    if (!status.promotable.promotable) {
      add('peer-not-promotable', `${view.site} could not take over: ${listed(status.promotable.reasons)}`);
    }
    const age = status.applied?.dataAgeSeconds ?? null;
    if (age === null) add('no-data', `${view.site} has applied no publish yet`);
    else if (age > rpoSeconds) {
      add('data-too-old', `${view.site}'s data is ${Math.round(age)} s old, over the RPO of ${rpoSeconds} s`);
    }
  }
  if (overview.lease !== null && overview.active !== null && overview.lease.holder !== overview.active) {
    add(
      'lease-disagrees',
      `the lease names ${overview.lease.holder}, but ${overview.active} is the active site`,
    );
  }
  if (overview.leaseError !== null) add('witness-unreadable', overview.leaseError);
  for (const view of overview.dns) {
    if (view.error !== null) add('dns-silent', view.error);
    else if (overview.active !== null && !(view.sites.length === 1 && view.sites[0] === overview.active)) {
      add(
        'dns-elsewhere',
        `${view.nameserver} answers ${view.addresses.join(', ')} (${view.sites.join(', ') || 'no site of ours'}), not ${overview.active}`,
      );
    }
  }
  return findings;
}

export function listed(reasons: readonly Reason[]): string {
  return reasons.length === 0
    ? 'no reason given'
    : reasons.map((reason) => `${reason.message} (${reason.code})`).join('; ');
}

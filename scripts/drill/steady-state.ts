/** What must be true before anything is broken. */
import type { ContextSite } from '../cli/context';
import { RefusedError, UsageError, describe } from '../cli/errors';
import { observe, type Overview } from '../cli/overview';
import { completion } from './clients/requests';
import type { FaultPort } from './fault';
import type { DrillPorts } from './ports';
import { isHarmless, type Scenario } from './scenarios';
import type { Service } from './service';

/** Refuses, having changed nothing, where the scenario needs faults and none can be made. */
export function refuseWithoutFaults(scenario: Scenario, fault: FaultPort | null): void {
  if (fault !== null || isHarmless(scenario)) return;
  throw new UsageError(`${scenario.name} breaks things, and no --fault-command says how`, {
    next: ['in production drill the planned switch: failover drill planned-switch'],
  });
}

/** Refuses where the active site has fewer servers than the scenario loses. */
export function refuseTooFewServers(scenario: Scenario, active: ContextSite): void {
  const needed = scenario.servers ?? 1;
  if (active.servers.length >= needed) return;
  throw new UsageError(
    `${scenario.name} needs ${needed} servers at ${active.site}, which has ${active.servers.length}`,
    { next: ['in the lab: lab/lab up --servers uk=2, then lab/lab config and lab/lab deploy'] },
  );
}

/** The server that leads a site, as the site says; its only one says nothing of it. */
export function leaderOf(overview: Overview, { site, servers }: ContextSite): string {
  const said = overview.sites.find((view) => view.site === site)?.status?.servers?.leader;
  return said ?? servers[0] ?? site;
}

/** A picture of the steady state: somebody is active. */
export type SteadyState = Overview & { readonly active: string };

const LOOK_MS = 1_000;

/** Waits until nothing is off any more, telling what is; answers whether that came in time. */
export async function untilSteady(ports: DrillPorts, limitSeconds: number): Promise<boolean> {
  const { context, sites, leases, clock, progress, signal } = ports;
  const until = clock.now() + limitSeconds * 1000;
  let told = '';
  while (clock.now() < until) {
    signal.throwIfAborted();
    const { findings } = await observe(context, sites, leases);
    if (findings.length === 0) return true;
    const reason = findings.map((finding) => finding.message).join('; ');
    if (reason !== told) progress.phase(`waiting for the steady state: ${reason}`);
    told = reason;
    await clock.delay(LOOK_MS, signal);
  }
  return false;
}

/** One active site, a promotable peer, DNS on the active site, a completion and a read; else refuses and says what is off. */
export async function checkSteadyState(
  ports: DrillPorts,
  service: Service,
  timeoutMs: number,
): Promise<SteadyState> {
  ports.progress.phase('checking the steady state');
  const { context, sites, leases } = ports;
  const overview = await observe(context, sites, leases);
  const findings = [...overview.findings];
  for (const [what, call] of [
    ['completion', completion(context.modelName).call],
    ['vectors', { method: 'GET', path: '/collections' } as const],
  ] as const) {
    const problem = await service.once(call, timeoutMs).then(
      (answer) => (answer.status === 200 ? null : `answered ${answer.status}`),
      (error: unknown) => describe(error),
    );
    if (problem !== null)
      findings.push({ code: `no-${what}`, message: `a request to the service (${what}): ${problem}` });
  }
  if (findings.length > 0 || overview.active === null) {
    throw new RefusedError('this is not the steady state, so a drill would measure something else', {
      reasons: findings,
      next: ['put right what is listed, then look at `failover status`'],
    });
  }
  return { ...overview, active: overview.active };
}

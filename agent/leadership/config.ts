import type { AgentServers, SiteAgentSpec } from '../../infra/contract/site-spec';
import type { LeaderConfig } from './model';

/** A leader that is lost has to be replaced, and the lease renewed, before the other site could claim it. */
const PART_OF_LEASE = 3;

/** Longest that the store, or another server, may take to answer one request. */
export const leaderRequestTimeoutMs = ({ ttlMs }: Pick<LeaderConfig, 'ttlMs'>): number => ttlMs / 5;

/** The part of the specification that the leadership goes by, in the core's units. */
export function leaderConfig(spec: SiteAgentSpec, { own, founder, others }: AgentServers): LeaderConfig {
  const { lease } = spec;
  return {
    site: spec.site,
    server: own,
    others: others.map(({ name }) => name),
    founder,
    ttlMs: (lease.ttlSeconds * 1000) / PART_OF_LEASE,
    marginMs: (lease.safetyMarginSeconds * 1000) / PART_OF_LEASE,
    drift: lease.maxClockDriftPpm / 1e6,
  };
}

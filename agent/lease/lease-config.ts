import type { SiteAgentSpec } from '../../infra/contract/site-spec';
import type { LeaseConfig } from './model';

/** The part of the site's specification that the lease goes by, in the core's units. */
export function leaseConfig(spec: SiteAgentSpec): LeaseConfig {
  const { lease, switching } = spec;
  return {
    site: spec.site,
    peer: spec.peer.site,
    initialHolder: spec.initialHolder,
    ttlMs: lease.ttlSeconds * 1000,
    marginMs: lease.safetyMarginSeconds * 1000,
    drift: lease.maxClockDriftPpm / 1e6,
    mode: switching.mode,
    graceMs: switching.vetoSeconds * 1000,
    cooldownMs: switching.cooldownSeconds * 1000,
    maxSwitchesPerHour: switching.maxSwitchesPerHour,
    handoverSyncMs: switching.handoverSyncSeconds * 1000,
    // Nobody waits for the first sync of a planned switch: it may take as long as a publish may be old.
    preSyncMs: Math.max(spec.snapshots.rpoSeconds, switching.handoverSyncSeconds) * 1000,
  };
}

/** The two sets of timings that the lab is run with. Both are nothing but configuration. */

export type Timings = 'compressed' | 'production';
export const TIMINGS: readonly Timings[] = ['compressed', 'production'];

/** Seconds in place of minutes, so that a drill fits into one. */
const COMPRESSED = {
  switchingMode: 'automatic',
  vetoSeconds: 3,
  leaseTtlSeconds: 6,
  leaseSafetyMarginSeconds: 1,
  probeIntervalSeconds: 1,
  probeTimeoutSeconds: 1,
  probeFailureThreshold: 3,
  probeRecoveryThreshold: 4,
  dnsTtlSeconds: 2,
  dnsCheckIntervalSeconds: 1,
  publishIntervalSeconds: 10,
  applyIntervalSeconds: 5,
  copyEstimateSeconds: 10,
  cooldownSeconds: 5,
  maxSwitchesPerHour: 60,
  handoverSyncSeconds: 10,
  engineRestartGraceSeconds: 2,
} as const;

/** What Pulumi.yaml ships. */
const PRODUCTION = {} as const;

export function timingsConfig(timings: Timings): Readonly<Record<string, number | string>> {
  return timings === 'compressed' ? COMPRESSED : PRODUCTION;
}

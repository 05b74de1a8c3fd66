import { computeBudget, writeOutSum } from '../../budgets';
import { type Rule, when } from './rule';

/** Rules on times: what must fit into what, and the objectives. */
export const timingRules: readonly Rule[] = [
  {
    reads: ['leaseTtlSeconds', 'leaseSafetyMarginSeconds'],
    check: ({ leaseTtlSeconds, leaseSafetyMarginSeconds }) =>
      when(leaseSafetyMarginSeconds > leaseTtlSeconds / 3, {
        key: 'leaseSafetyMarginSeconds',
        got: leaseSafetyMarginSeconds,
        allowed: `at most a third of leaseTtlSeconds (${leaseTtlSeconds}), or one missed renewal stops a healthy site`,
      }),
  },
  {
    reads: ['probeIntervalSeconds', 'probeTimeoutSeconds'],
    check: ({ probeIntervalSeconds, probeTimeoutSeconds }) =>
      when(probeTimeoutSeconds > probeIntervalSeconds, {
        key: 'probeTimeoutSeconds',
        got: probeTimeoutSeconds,
        allowed: `at most probeIntervalSeconds (${probeIntervalSeconds}), so that probes do not overlap`,
      }),
  },
  {
    reads: ['probeFailureThreshold', 'probeRecoveryThreshold'],
    check: ({ probeFailureThreshold, probeRecoveryThreshold }) =>
      when(probeRecoveryThreshold <= probeFailureThreshold, {
        key: 'probeRecoveryThreshold',
        got: probeRecoveryThreshold,
        allowed: `more than probeFailureThreshold (${probeFailureThreshold}): coming back needs more proof than failing`,
      }),
  },
  {
    reads: ['publishIntervalSeconds', 'copyEstimateSeconds'],
    check: ({ publishIntervalSeconds, copyEstimateSeconds }) =>
      when(copyEstimateSeconds > publishIntervalSeconds, {
        key: 'copyEstimateSeconds',
        got: copyEstimateSeconds,
        allowed: `at most publishIntervalSeconds (${publishIntervalSeconds}): a copy must end before the next begins`,
      }),
  },
  {
    reads: [
      'leaseTtlSeconds',
      'leaseMaxClockDriftPpm',
      'switchingMode',
      'operatorDecisionSeconds',
      'vetoSeconds',
      'handoverSyncSeconds',
      'engineRestartGraceSeconds',
      'engineRestartsPerHour',
      'probeIntervalSeconds',
      'probeTimeoutSeconds',
      'probeFailureThreshold',
      'dnsTtlSeconds',
      'dnsCheckIntervalSeconds',
      'rtoSeconds',
    ],
    check: (config) => {
      const { rto } = computeBudget(config);
      const cases = [
        { what: 'losing a region', ...rto.regionLoss },
        { what: 'a sick holder', ...rto.sickHolder },
      ];
      return cases
        .filter(({ totalSeconds }) => totalSeconds > rto.objectiveSeconds)
        .map(({ what, stages, totalSeconds }) => ({
          key: 'rtoSeconds',
          got: rto.objectiveSeconds,
          allowed: `at least ${totalSeconds} with these timings, for ${what}: ${writeOutSum(stages)}`,
          fix: 'Shorten the longest stages, or set an objective that can be met.',
        }));
    },
  },
  {
    reads: ['publishIntervalSeconds', 'applyIntervalSeconds', 'copyEstimateSeconds', 'rpoSeconds'],
    check: (config) => {
      const { rpo } = computeBudget(config);
      return when(rpo.predictedSeconds > rpo.objectiveSeconds, {
        key: 'rpoSeconds',
        got: rpo.objectiveSeconds,
        allowed: `at least ${rpo.predictedSeconds} with these timings: ${writeOutSum(rpo.stages)}`,
        fix: 'Publish more often, or set an objective that can be met.',
      });
    },
  },
];

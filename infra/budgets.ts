/**
 * The recovery budgets: what a configuration promises, added up stage by stage before anything is built.
 *
 * Every stage is its worst case. The sums leave out only what no setting bounds: resolvers and clients that do not
 * honour the TTL, which the fenced site's pass-through serves instead.
 */
import type { BudgetOutput, Stage } from './contract/stack-outputs';
import type { FlatConfig } from './config/schema';

export type BudgetInput = Pick<
  FlatConfig,
  | 'leaseTtlSeconds'
  | 'leaseMaxClockDriftPpm'
  | 'leaseSafetyMarginSeconds'
  | 'switchingMode'
  | 'operatorDecisionSeconds'
  | 'vetoSeconds'
  | 'handoverSyncSeconds'
  | 'engineRestartGraceSeconds'
  | 'engineRestartsPerHour'
  | 'probeIntervalSeconds'
  | 'probeTimeoutSeconds'
  | 'probeFailureThreshold'
  | 'dnsTtlSeconds'
  | 'dnsCheckIntervalSeconds'
  | 'publishIntervalSeconds'
  | 'applyIntervalSeconds'
  | 'copyEstimateSeconds'
  | 'rtoSeconds'
  | 'rpoSeconds'
>;

/** Renewals and polls of the lease happen every third of its life. */
export const leasePollSeconds = (ttlSeconds: number): number => ttlSeconds / 3;

/** Longest that one request to the lease store may take: two of them fit between a renewal and the next. */
export const leaseRequestTimeoutSeconds = (ttlSeconds: number): number => Math.min(5, ttlSeconds / 6);

const rounded = (value: number): number => Math.round(value * 1000) / 1000;
const stage = (name: string, value: number): Stage => ({ stage: name, seconds: rounded(value) });
const total = (stages: readonly Stage[]): number =>
  rounded(stages.reduce((sum, { seconds }) => sum + seconds, 0));

function operatorStage(input: BudgetInput, alreadySeconds = 0): Stage[] {
  const left = (seconds: number): number => Math.max(0, seconds - alreadySeconds);
  switch (input.switchingMode) {
    case 'manual':
      return [stage('person on call decides', left(input.operatorDecisionSeconds))];
    case 'veto':
      return [stage('person on call may say no', left(input.vetoSeconds))];
    case 'automatic':
      return [];
  }
}

/** Without a restart left nobody waits for one. */
function engineRestartStages(input: BudgetInput): Stage[] {
  const { engineRestartGraceSeconds: grace, engineRestartsPerHour } = input;
  const waits = grace > 0 && engineRestartsPerHour > 0;
  return waits ? [stage('local engine restart gets its chance', grace)] : [];
}

/** A claim reads the lease, writes it, and reads it again: what the store acknowledges counts once it is shown. */
const claimStage = (input: BudgetInput): Stage =>
  stage('standby claims the lease', 3 * leaseRequestTimeoutSeconds(input.leaseTtlSeconds));

const dnsStages = (input: BudgetInput): Stage[] => [
  stage('nameserver checks readiness', input.dnsCheckIntervalSeconds),
  stage('cached answers expire', input.dnsTtlSeconds),
];

function regionLossStages(input: BudgetInput): Stage[] {
  const drift = input.leaseMaxClockDriftPpm / 1_000_000;
  return [
    stage('lease runs out on any clock', input.leaseTtlSeconds * (1 + drift)),
    stage('standby looks at the lease', leasePollSeconds(input.leaseTtlSeconds)),
    ...operatorStage(input),
    claimStage(input),
    ...dnsStages(input),
  ];
}

function sickHolderStages(input: BudgetInput): Stage[] {
  const restart = engineRestartStages(input);
  return [
    stage(
      'canary fails often enough',
      input.probeIntervalSeconds * input.probeFailureThreshold + input.probeTimeoutSeconds,
    ),
    ...restart,
    // The canary calls the person when it fails, not when the restart has had its chance.
    ...operatorStage(input, total(restart)),
    stage('last publish and apply', input.handoverSyncSeconds),
    // The holder hands over only when no acknowledgement of a write can still be on its way.
    stage('writes on their way end', input.leaseSafetyMarginSeconds),
    stage('standby looks at the lease', leasePollSeconds(input.leaseTtlSeconds)),
    claimStage(input),
    ...dnsStages(input),
  ];
}

export function computeBudget(input: BudgetInput): BudgetOutput {
  const regionLoss = regionLossStages(input);
  const sickHolder = sickHolderStages(input);
  const copies = [
    stage('publish interval', input.publishIntervalSeconds),
    stage('apply interval', input.applyIntervalSeconds),
    stage('copy, estimated', input.copyEstimateSeconds),
  ];
  return {
    rto: {
      predictedSeconds: Math.max(total(regionLoss), total(sickHolder)),
      objectiveSeconds: input.rtoSeconds,
      regionLoss: { stages: regionLoss, totalSeconds: total(regionLoss) },
      sickHolder: { stages: sickHolder, totalSeconds: total(sickHolder) },
    },
    rpo: { predictedSeconds: total(copies), objectiveSeconds: input.rpoSeconds, stages: copies },
  };
}

/** `30 (lease runs out) + 10 (…) = 40 s`. */
export function writeOutSum(stages: readonly Stage[]): string {
  const terms = stages.map(({ stage: name, seconds }) => `${seconds} (${name})`);
  return `${terms.join(' + ')} = ${total(stages)} s`;
}

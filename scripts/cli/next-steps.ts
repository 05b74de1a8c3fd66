/** From an agent's reasons to what a person does next. Codes are matched by what they speak of, so that a new one still helps. */
import type { Reason } from '../../infra/contract/agent-api';

const STEPS: readonly (readonly [RegExp, string])[] = [
  [
    /rpo|data.?age|stale|too.?old|data.?loss|never.?applied|no.?data/i,
    'the data there is older than allowed: bring the other site or the replication back, or accept the loss by name with `failover promote --accept-data-loss`',
  ],
  [
    /fenced|reprotect|re-protect|lineage/i,
    "the site must take the holder's data first: `failover failback` re-protects it and goes on",
  ],
  [
    /parity|version|config.?hash|model|weights/i,
    'the sites are not the same: run `pulumi up` for both stacks, then look at `failover status`',
  ],
  [
    /canary|inference|vectors|engine/i,
    'an engine there does not answer: journalctl -u failover-vllm -u failover-qdrant on its servers',
  ],
  [
    /witness|store/i,
    'the witness cannot be reached from there, and nothing may be claimed without it: see the runbook, "Witness lost"',
  ],
  [
    /cooldown|too.?many|flap|rate/i,
    'switches are limited so that the service does not flap: wait, or read `failover history` for what keeps causing them',
  ],
  [
    /busy|in.?progress/i,
    'the site is at work on another publish, apply or switch: wait for `failover status` to show it idle',
  ],
  [/not.?holder|holder/i, 'ask the site that holds the lease: `failover status` names it'],
  [
    /peer/i,
    'the other site must be reachable for a planned switch; if it is gone for good, use `failover promote` there',
  ],
];

export function nextStepsFor(reasons: readonly Reason[]): string[] {
  const steps = reasons.flatMap((reason) => STEPS.find(([pattern]) => pattern.test(reason.code))?.[1] ?? []);
  return steps.length === 0 ? ['look at `failover status`, then the runbook'] : [...new Set(steps)];
}

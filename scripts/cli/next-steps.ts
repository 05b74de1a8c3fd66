/** From an agent's reasons to what a person does next. Codes are matched by what they speak of, so that a new one still helps. */
import type { Reason } from '../../infra/contract/agent-api';

const STEPS: readonly (readonly [RegExp, string])[] = [
  [/vetoed/i, '`failover status` says by whom and for how long; `failover veto --lift` ends it'],
  [/no_such_publish/i, '`failover publishes` lists what the data can be brought back to'],
  [
    /busy|applying|rewinding|in_progress|claim_pending|too_late/i,
    'the site is at work on another publish, apply or switch: wait until `failover status` shows it idle',
  ],
  [
    /restore|no_data|nothing_published|publish_missing/i,
    'no verified data of the holder is there yet: wait for the next apply, or journalctl -u failover-apply on its servers',
  ],
  [
    /too_old|data_age|rpo/i,
    'the data there is older than allowed: bring the other site or the replication back, or accept the loss by name with `failover promote --accept-data-loss`',
  ],
  [
    /fenced|reprotect|lineage/i,
    "the site must take the holder's data first: `failover failback` re-protects it and goes on",
  ],
  [
    /mismatch|parity|config|version|model/i,
    'the sites are not the same: `pulumi up` for both stacks, then look at `failover status`',
  ],
  [
    /canary|inference|vectors|engine|qdrant|sick/i,
    'an engine there does not answer rightly: journalctl -u failover-vllm -u failover-qdrant on its servers',
  ],
  [
    /holder_alive/i,
    'the holder is alive: hand over in good order with `failover switch`, which loses nothing',
  ],
  [
    /peer|final_sync|pre_sync/i,
    'a planned switch needs the other site, promotable: mend it first; where the holder is gone for good, `failover promote` there',
  ],
  [/holder/i, 'ask the site that holds the lease: `failover status` names it'],
  [
    /cooldown|too_many|blocked/i,
    'switches are limited so that the service does not flap: wait, or read in `failover history` what keeps causing them',
  ],
  [
    /witness|store|lease/i,
    'the lease cannot be read or written from there, and nothing may be claimed without it: see the runbook, "The witness is lost"',
  ],
];

export function nextStepsFor(reasons: readonly Reason[]): string[] {
  const steps = reasons.flatMap((reason) => {
    const code = reason.code.replaceAll('-', '_'); // they come as NOT_HOLDER and as not-holder
    return STEPS.find(([pattern]) => pattern.test(code))?.[1] ?? [];
  });
  return steps.length === 0 ? ['look at `failover status`, then the runbook'] : [...new Set(steps)];
}

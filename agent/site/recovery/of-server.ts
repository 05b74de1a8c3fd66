import { join } from 'node:path';
import { ENGINE_RESTART_REQUEST } from '../../../infra/contract/server-paths';
import type { SiteAgentSpec } from '../../../infra/contract/site-spec';
import type { RecordEvent, SiteClock } from '../ports';
import { EngineRestart } from './engine-restart';
import { RestartLog } from './restart-log';
import { RestartRequest } from './restart-request';

/** The restarts of this server's own engine: whoever leads the site, each server looks after its own. */
export async function engineRestartOf(options: {
  readonly spec: Pick<SiteAgentSpec, 'switching' | 'inference' | 'canary'>;
  readonly folders: { readonly state: string; readonly requests: string };
  readonly clock: SiteClock;
  readonly record: RecordEvent;
}): Promise<EngineRestart> {
  const { spec, folders, clock, record } = options;
  return new EngineRestart({
    switching: spec.switching,
    startTimeoutSeconds: spec.inference.startTimeoutSeconds,
    failureThreshold: spec.canary.failureThreshold,
    log: await RestartLog.open(join(folders.state, 'engine-restarts.json'), clock),
    clock,
    request: new RestartRequest(join(folders.requests, ENGINE_RESTART_REQUEST)),
    record,
  });
}

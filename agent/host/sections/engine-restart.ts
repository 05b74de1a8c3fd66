/**
 * How the agent, which may restart nothing, has the engine restarted: a file in its own folder under /run starts a unit
 * whose words are all fixed. By being there the file says everything; root neither reads nor touches it.
 */
import { AGENT_REQUESTS_DIRECTORY, ENGINE_RESTART_REQUEST } from '../../../infra/contract/server-paths';
import type { Converger } from '../converge';
import { ensureUnit } from '../service';
import { renderUnit, sandbox } from '../unit-text';
import { INFERENCE_UNIT } from './inference';

export const ENGINE_RESTART_UNIT = 'failover-engine-restart.service';
export const ENGINE_RESTART_PATH_UNIT = 'failover-engine-restart.path';
const REQUEST = `${AGENT_REQUESTS_DIRECTORY}/${ENGINE_RESTART_REQUEST}`;

export async function applyEngineRestart(
  converger: Converger,
  user: string,
  restartsPerHour: number,
): Promise<void> {
  await ensureUnit(converger, {
    name: ENGINE_RESTART_UNIT,
    content: engineRestartUnit(user, restartsPerHour),
    inputs: [],
    enable: false,
    start: false,
  });
  await ensureUnit(converger, {
    name: ENGINE_RESTART_PATH_UNIT,
    content: engineRestartPathUnit(),
    inputs: [],
  });
}

export function engineRestartPathUnit(): string {
  return renderUnit([
    { name: 'Unit', lines: ['Description=Requests of the site agent to restart a stuck vLLM'] },
    { name: 'Path', lines: [`PathExists=${REQUEST}`, `Unit=${ENGINE_RESTART_UNIT}`] },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

export function engineRestartUnit(user: string, restartsPerHour: number): string {
  const systemctl = '/usr/bin/systemctl --no-ask-password';
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Restart a stuck vLLM',
        // The agent keeps its own count; this one holds an agent that has lost it.
        'StartLimitIntervalSec=1h',
        `StartLimitBurst=${restartsPerHour + 1}`,
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=oneshot',
        `User=${user}`,
        `Group=${user}`,
        // As the agent's user: whatever it has put there, root follows no path of the agent's. First, because a request
        // that outlived a failure would start this again and again.
        `ExecStartPre=/usr/bin/rm -f ${REQUEST}`,
        // As root, in this sandbox. A stuck engine drains nothing, and workers that outlive it would keep the accelerator.
        `ExecStart=!-${systemctl} kill --signal=SIGKILL --kill-whom=all ${INFERENCE_UNIT}`,
        // Only one that runs: an engine that a person has stopped stays stopped.
        `ExecStart=!${systemctl} --no-block try-restart ${INFERENCE_UNIT}`,
        'TimeoutStartSec=30',
        'IPAddressDeny=any',
        ...sandbox({ writable: [`-${AGENT_REQUESTS_DIRECTORY}`] }),
      ],
    },
  ]);
}

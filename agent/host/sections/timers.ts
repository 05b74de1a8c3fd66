import { BUNDLE_PATH, NODE_PATH } from '../paths';
import { ensureUnit } from '../service';
import { loadCredentials, renderUnit, sandbox } from '../unit-text';
import { AGENT_UNIT, AGENT_USER } from './agent';
import type { SectionContext } from './context';

export const TIMER_JOBS = ['publish', 'apply'] as const;
export type TimerJob = (typeof TIMER_JOBS)[number];

const DESCRIPTION: Record<TimerJob, string> = {
  publish: 'Publish snapshots, where this site holds the lease',
  apply: 'Apply the newest published snapshots, where this site does not hold the lease',
};

export async function applyTimers({ converger, document }: SectionContext): Promise<void> {
  const spec = document.timers;
  if (spec === undefined) return;
  await converger.credential('operator-key');
  await converger.user(AGENT_USER);
  const intervals: Record<TimerJob, number> = {
    publish: spec.publishIntervalSeconds,
    apply: spec.applyIntervalSeconds,
  };
  for (const job of TIMER_JOBS) {
    await ensureUnit(converger, {
      name: `failover-${job}.service`,
      content: jobUnit(job),
      inputs: [],
      enable: false,
      start: false,
    });
    await ensureUnit(converger, {
      name: `failover-${job}.timer`,
      content: timerUnit(job, intervals[job]),
      inputs: [],
    });
  }
}

export function jobUnit(job: TimerJob): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [`Description=${DESCRIPTION[job]}`, `After=${AGENT_UNIT}`],
    },
    {
      name: 'Service',
      lines: [
        'Type=oneshot',
        `User=${AGENT_USER}`,
        `Group=${AGENT_USER}`,
        ...loadCredentials(['operator-key']),
        `ExecStart=${NODE_PATH} ${BUNDLE_PATH} ctl ${job}`,
        'TimeoutStartSec=infinity',
        'MemoryMax=256M',
        // Nothing but the agent's loopback API is needed.
        'IPAddressDeny=any',
        'IPAddressAllow=localhost',
        ...sandbox({ allowExecutableMemory: true }),
      ],
    },
  ]);
}

export function timerUnit(job: TimerJob, intervalSeconds: number): string {
  return renderUnit([
    { name: 'Unit', lines: [`Description=${DESCRIPTION[job]}`] },
    {
      name: 'Timer',
      lines: [
        `OnBootSec=${Math.min(intervalSeconds, 60)}s`,
        // From start to start; a run that takes longer is followed at once by the next.
        `OnUnitActiveSec=${intervalSeconds}s`,
        // systemd's own default of a minute would be lost from the recovery point.
        `AccuracySec=${intervalSeconds < 60 ? '100ms' : '1s'}`,
        `Unit=failover-${job}.service`,
      ],
    },
    { name: 'Install', lines: ['WantedBy=timers.target'] },
  ]);
}

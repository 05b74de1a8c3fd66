import type { LogsSpec } from '../../../infra/contract/site-spec';
import { SpecInvalidError } from '../errors';
import { ensurePackages } from '../packages';
import { CONFIG_DIRECTORY, credentialPath } from '../paths';
import { ensureUnit } from '../service';
import { loadCredentials, renderUnit, sandbox } from '../unit-text';
import type { SectionContext } from './context';
import { shipScript } from './ship-script';

const USER = 'failover-logs';
const STATE_DIRECTORY = '/var/lib/failover-logs';
const SCRIPT_PATH = `${CONFIG_DIRECTORY}/logs/ship`;
const RCLONE_CONFIG_PATH = `${CONFIG_DIRECTORY}/logs/rclone.conf`;
export const LOGS_UNIT = 'failover-logs.service';
const LOGS_TIMER = 'failover-logs.timer';
const ACCOUNT = ['store-access-key', 'store-secret-key'] as const;

/** The journal is the buffer, rclone the shipper; the script between them only cuts what is new into files. */
export async function applyLogs({ converger, document }: SectionContext): Promise<void> {
  const spec = document.logs;
  if (spec === undefined) return;
  const { site, name: server } = document.server;
  checkNames([site, server]);
  await ensurePackages(converger, { names: ['rclone', 'ca-certificates'] });
  const credentials = spec.credentials === 'account' ? ACCOUNT : [];
  for (const name of credentials) await converger.credential(name);
  const owner = await converger.user(USER);
  await converger.tree(STATE_DIRECTORY, 0o700, owner);
  await converger.configDirectory('logs');
  await converger.file(RCLONE_CONFIG_PATH, rcloneConfig(spec));
  const script = shipScript({
    spec,
    site,
    server,
    stateDirectory: STATE_DIRECTORY,
    rcloneConfig: RCLONE_CONFIG_PATH,
  });
  await converger.file(SCRIPT_PATH, script, { mode: 0o755 });
  await ensureUnit(converger, {
    name: LOGS_UNIT,
    content: logsUnit(credentials),
    inputs: credentials.map(credentialPath),
    enable: false,
    start: false,
  });
  await ensureUnit(converger, { name: LOGS_TIMER, content: logsTimer(spec.intervalSeconds), inputs: [] });
}

/** They become folders, and words of a shell. */
function checkNames(names: readonly string[]): void {
  const bad = names.filter((name) => !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name));
  if (bad.length === 0) return;
  throw new SpecInvalidError(
    `logs are kept by site and server, whose names should be letters, digits, dots and hyphens: ${bad.join(', ')}`,
  );
}

/** Without keys: they come by the environment, or from the instance. */
export function rcloneConfig({ destinations }: LogsSpec): string {
  return destinations
    .map(({ name, endpoint, region }) =>
      [
        `[${name}]`,
        'type = s3',
        `provider = ${endpoint.includes('.amazonaws.com') ? 'AWS' : 'Other'}`,
        'env_auth = true',
        `region = ${region}`,
        `endpoint = ${endpoint}`,
        // Writing is all that a server may do there.
        'no_check_bucket = true',
        'no_head = true',
        // Debian's rclone always names an ACL; a bucket that has none takes this one and refuses the default, private.
        'acl = bucket-owner-full-control',
        '',
      ].join('\n'),
    )
    .join('\n');
}

export function logsUnit(credentials: readonly (typeof ACCOUNT)[number][]): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: ['Description=Ship the journal off this server'],
    },
    {
      name: 'Service',
      lines: [
        'Type=oneshot',
        `User=${USER}`,
        `Group=${USER}`,
        'SupplementaryGroups=systemd-journal',
        ...loadCredentials(credentials),
        `ExecStart=${SCRIPT_PATH}`,
        'TimeoutStartSec=15min',
        'MemoryMax=256M',
        'Nice=10',
        // systemd's own lines of each run would be something new to ship in the next.
        'LogLevelMax=notice',
        // journalctl ends when enough was read of it.
        'IgnoreSIGPIPE=no',
        ...sandbox({ writable: [STATE_DIRECTORY] }),
      ],
    },
  ]);
}

export function logsTimer(intervalSeconds: number): string {
  return renderUnit([
    { name: 'Unit', lines: ['Description=Ship the journal off this server'] },
    {
      name: 'Timer',
      lines: [
        `OnBootSec=${Math.min(intervalSeconds, 60)}s`,
        `OnUnitActiveSec=${intervalSeconds}s`,
        // systemd's own default would put up to a minute on top.
        'AccuracySec=1s',
        `Unit=${LOGS_UNIT}`,
      ],
    },
    { name: 'Install', lines: ['WantedBy=timers.target'] },
  ]);
}

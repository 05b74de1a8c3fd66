import { CommandFailedError } from '../errors';
import { BUNDLE_PATH, NODE_PATH, unitPath } from '../paths';
import { unitState } from '../service';
import { execArgument, renderUnit } from '../unit-text';
import { type PullOptions, pullArguments } from './options';
import type { PullPorts } from './ports';

export const PULL_SERVICE = 'failover-pull.service';
export const PULL_TIMER = 'failover-pull.timer';
const INTERVAL_SECONDS = 60;
const JITTER_SECONDS = 10;

export function pullService(options: PullOptions): string {
  const args = pullArguments({ ...options, install: false })
    .map(execArgument)
    .join(' ');
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Make this server what its site says it should be',
        'Wants=network-online.target',
        'After=network-online.target local-fs.target',
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=oneshot',
        `ExecStart=${NODE_PATH} ${BUNDLE_PATH} pull ${args}`,
        // A first apply pulls an image and loads a model; what takes longer than this hangs.
        'TimeoutStartSec=3h',
        ...pullSandbox(),
      ],
    },
  ]);
}

/** Nothing that the pull starts has a use for these; what it does use is told in `pullSandbox`. */
const NEEDLESS_CAPABILITIES = [
  ...['AUDIT_CONTROL', 'AUDIT_READ', 'BLOCK_SUSPEND', 'BPF', 'CHECKPOINT_RESTORE', 'IPC_OWNER', 'LEASE'],
  ...['MAC_OVERRIDE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_RAW', 'PERFMON', 'SYSLOG', 'SYS_BOOT'],
  ...['SYS_MODULE', 'SYS_PACCT', 'SYS_RAWIO', 'SYS_TIME', 'SYS_TTY_CONFIG', 'WAKE_ALARM'],
].map((name) => `CAP_${name}`);

/**
 * What a process that installs packages as root can do without. It cannot have:
 * - `ProtectSystem`: dpkg writes /usr and /etc;
 * - `RestrictSUIDSGID`: packages hold setuid programs, and the snapshots' folder is setgid;
 * - `PrivateDevices`, `DevicePolicy`, `ProtectClock` (which brings a device list): image layers hold device nodes;
 * - most capabilities: it gives files to other users, apt becomes another one, podman unpacks layers in a mount namespace of
 *   its own, nft needs the network, and whose a port is stands in other users' /proc (so no `ProtectProc`, `ProcSubset`);
 * - `MemoryDenyWriteExecute`: Node compiles as it runs;
 * - `PrivateNetwork`, `PrivateUsers`, `IPAddressDeny`, another `User`: it is there to fetch, and to be root.
 * Services are started by systemd and not from here: none of this reaches them.
 */
function pullSandbox(): string[] {
  return [
    `CapabilityBoundingSet=~${NEEDLESS_CAPABILITIES.join(' ')}`,
    'NoNewPrivileges=yes',
    // Read, since a model or a program may lie there.
    'ProtectHome=read-only',
    'ReadOnlyPaths=-/boot -/efi',
    'PrivateTmp=yes',
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'ProtectControlGroups=yes',
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
    'RestrictNamespaces=mnt',
    'RestrictRealtime=yes',
    'LockPersonality=yes',
    'UMask=0077',
    'KeyringMode=private',
    'SystemCallArchitectures=native',
    // What is forbidden rather than what is allowed: packages' scripts call what they like.
    'SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap',
    'SystemCallErrorNumber=EPERM',
  ];
}

export function pullTimer(): string {
  return renderUnit([
    { name: 'Unit', lines: ['Description=Look every minute what this server should be'] },
    {
      name: 'Timer',
      lines: [
        // In the past when it is first started, which starts the service at once.
        'OnBootSec=15s',
        `OnUnitActiveSec=${INTERVAL_SECONDS}s`,
        // Servers of a site do not all restart their units in the same second.
        `RandomizedDelaySec=${JITTER_SECONDS}s`,
        'AccuracySec=1s',
        `Unit=${PULL_SERVICE}`,
      ],
    },
    { name: 'Install', lines: ['WantedBy=timers.target'] },
  ]);
}

/** Writes the units where they differ; with `install` also enables and starts the timer. */
export async function ensurePullUnits(ports: PullPorts, options: PullOptions): Promise<void> {
  const { host, log } = ports;
  const installed = (await host.stat(unitPath(PULL_TIMER))) !== null;
  if (!installed && !options.install) return;
  await write(ports, PULL_SERVICE, pullService(options));
  const timerChanged = await write(ports, PULL_TIMER, pullTimer());
  const { unitFileState, activeState } = await unitState(host, PULL_TIMER);
  if (unitFileState !== 'enabled') {
    await systemctl(ports, ['enable', '--quiet', PULL_TIMER]);
    log.change(`enabled ${PULL_TIMER}`);
  }
  if (timerChanged || activeState !== 'active') {
    await systemctl(ports, ['restart', PULL_TIMER]);
    log.change(`started ${PULL_TIMER}`);
  }
}

async function write(ports: PullPorts, unit: string, text: string): Promise<boolean> {
  const { host, log } = ports;
  const current = await host.readFile(unitPath(unit));
  const changed = current?.toString('utf8') !== text;
  if (changed) {
    await host.writeFile(unitPath(unit), Buffer.from(text), 0o644, { uid: 0, gid: 0 });
    log.change(`wrote ${unitPath(unit)}`);
  }
  // Only when systemd says so: a needless daemon-reload can take the GPUs from running containers.
  if ((await unitState(host, unit)).needsReload) await systemctl(ports, ['daemon-reload']);
  return changed;
}

async function systemctl({ host }: PullPorts, args: readonly string[]): Promise<void> {
  const result = await host.run('systemctl', args);
  if (result.code !== 0) throw new CommandFailedError(`systemctl ${args.join(' ')}`, result);
}

import { credentialPath } from './paths';

export interface UnitSection {
  readonly name: 'Unit' | 'Service' | 'Timer' | 'Path' | 'Install';
  readonly lines: readonly string[];
}

/** `LoadCredential=` lines: the only way by which a key reaches a process. */
export function loadCredentials(names: readonly string[]): string[] {
  return names.map((name) => `LoadCredential=${name}:${credentialPath(name)}`);
}

export interface SandboxOptions {
  readonly writable?: readonly string[];
  readonly capabilities?: readonly string[];
  /** Engines that compile code at run time map pages writable and executable. */
  readonly allowExecutableMemory?: boolean;
  readonly allowDevices?: boolean;
  /** Thread pinning and NUMA policies of inference engines. */
  readonly allowResourceCalls?: boolean;
  /** Something that is only read lies in a home directory. */
  readonly readsHome?: boolean;
}

/** Restrictions shared by all our services; `systemd-analyze security` is run on the result in the tests. */
export function sandbox(options: SandboxOptions = {}): string[] {
  const capabilities = (options.capabilities ?? []).join(' ');
  return [
    `CapabilityBoundingSet=${capabilities}`,
    `AmbientCapabilities=${capabilities}`,
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    ...(options.writable ?? []).map((path) => `ReadWritePaths=${path}`),
    `ProtectHome=${options.readsHome ? 'read-only' : 'yes'}`,
    'PrivateTmp=yes',
    ...(options.allowDevices ? [] : ['PrivateDevices=yes', 'DevicePolicy=closed']),
    'ProtectClock=yes',
    'ProtectHostname=yes',
    'ProtectKernelLogs=yes',
    'ProtectKernelModules=yes',
    'ProtectKernelTunables=yes',
    'ProtectControlGroups=yes',
    'ProtectProc=invisible',
    'ProcSubset=' + (options.allowResourceCalls ? 'all' : 'pid'),
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX' + (options.allowResourceCalls ? ' AF_NETLINK' : ''),
    'RestrictNamespaces=yes',
    'RestrictRealtime=yes',
    'RestrictSUIDSGID=yes',
    'LockPersonality=yes',
    ...(options.allowExecutableMemory ? [] : ['MemoryDenyWriteExecute=yes']),
    'RemoveIPC=yes',
    'UMask=0077',
    'KeyringMode=private',
    'SystemCallArchitectures=native',
    'SystemCallFilter=@system-service',
    `SystemCallFilter=~@privileged${options.allowResourceCalls ? '' : ' @resources'}`,
    'SystemCallErrorNumber=EPERM',
  ];
}

export function renderUnit(sections: readonly UnitSection[]): string {
  const header = '# Written by failover-agent apply; changes made here are overwritten.\n';
  return header + sections.map(({ name, lines }) => `[${name}]\n${lines.join('\n')}\n`).join('\n');
}

/** One argument of an Exec line: systemd's own quoting, with `%` and `$` taken literally. */
export function execArgument(value: string): string {
  const escaped = value
    .replace(/\\/g, '\\\\')
    .replace(/"/g, '\\"')
    .replace(/%/g, '%%')
    .replace(/\$/g, '$$$$')
    .replace(/\n/g, '\\n');
  return /^[A-Za-z0-9_./:@=,+%$-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** One assignment of an Environment line. */
export function environmentLine(name: string, value: string): string {
  const escaped = value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/%/g, '%%').replace(/\n/g, '\\n');
  return `Environment="${name}=${escaped}"`;
}

/**
 * Starts a program with keys in environment variables, read from the unit's credentials by a shell that then
 * becomes the program: the keys are in no unit file and no argument list.
 */
export function execWithKeys(keys: Readonly<Record<string, string>>, program: readonly string[]): string {
  const reads = Object.entries(keys)
    .map(
      ([variable, credential]) =>
        `${variable}="$$(cat "$$CREDENTIALS_DIRECTORY/${credential}")"; export ${variable}; `,
    )
    .join('');
  return `/bin/sh -c 'set -eu; ${reads}exec "$$@"' sh ${program.map(execArgument).join(' ')}`;
}

import { BlockList, isIPv6 } from 'node:net';
import type { FirewallSpec } from '../../../infra/contract/site-spec';
import { ConfigRefusedError, FirewallLockoutError } from '../errors';
import { ensurePackages } from '../packages';
import { ensureUnit } from '../service';
import { renderUnit } from '../unit-text';
import type { HostPort } from '../port';
import type { SectionContext } from './context';

export const FIREWALL_TABLE = { family: 'inet', table: 'failover' } as const;
export const FIREWALL_UNIT = 'failover-firewall.service';
const RULES_PATH = '/etc/failover/firewall/rules.nft';

export async function applyFirewall({ converger, document, services }: SectionContext): Promise<void> {
  const spec = document.firewall;
  if (spec === undefined) return;
  if (services.needsSsh !== false) await refuseLockout(converger.host, spec);
  await ensurePackages(converger, { names: ['nftables'] });
  await converger.configDirectory('firewall');
  await converger.journal.record('firewall', { kind: 'nft-table', ...FIREWALL_TABLE });
  await converger.file(RULES_PATH, renderRules(spec), {
    mode: 0o600,
    check: async (candidate) => {
      const result = await converger.host.run('nft', ['--check', '--file', candidate]);
      if (result.code !== 0) throw new ConfigRefusedError(`nft refuses the rules: ${result.stderr.trim()}`);
    },
  });
  const loaded = await tableIsLoaded(converger.host);
  await ensureUnit(converger, { name: FIREWALL_UNIT, content: firewallUnit(), inputs: [RULES_PATH] });
  if (!loaded && !(await tableIsLoaded(converger.host))) {
    // The unit counts as active although somebody flushed its table.
    await converger.command('systemctl', ['restart', FIREWALL_UNIT]);
    converger.changed('loaded the rules again');
  }
}

async function tableIsLoaded(host: HostPort): Promise<boolean> {
  const { family, table } = FIREWALL_TABLE;
  return (await host.run('nft', ['list', 'table', family, table])).code === 0;
}

/** Replaces our own table in one transaction; other tables are never touched. */
export function renderRules(spec: FirewallSpec): string {
  const rules = spec.allow.flatMap(({ comment, protocol, port, from }) =>
    from.map((range) => {
      const family = range.includes(':') ? 'ip6' : 'ip';
      return `    ${family} saddr ${range} ${protocol} dport ${port} accept comment "${comment}"`;
    }),
  );
  return `# Written by failover-agent apply; changes made here are overwritten.
table inet failover
delete table inet failover
table inet failover {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    ct state invalid drop
    iifname "lo" accept
    meta l4proto icmp icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
    meta l4proto ipv6-icmp icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query } accept
    ip6 saddr fe80::/10 udp dport 546 accept comment "DHCPv6"
${rules.join('\n')}
  }
}
`;
}

export function firewallUnit(): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Packet filter of the failover stack',
        'DefaultDependencies=no',
        'Wants=network-pre.target',
        'Before=network-pre.target shutdown.target',
        'Conflicts=shutdown.target',
        'After=local-fs.target',
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=oneshot',
        'RemainAfterExit=yes',
        `ExecStart=/usr/sbin/nft --file ${RULES_PATH}`,
        `ExecReload=/usr/sbin/nft --file ${RULES_PATH}`,
        'CapabilityBoundingSet=CAP_NET_ADMIN',
        'NoNewPrivileges=yes',
        'ProtectSystem=strict',
        'ProtectHome=yes',
        'PrivateTmp=yes',
        'PrivateDevices=yes',
        'RestrictAddressFamilies=AF_NETLINK AF_UNIX',
        'RestrictNamespaces=yes',
        'RestrictRealtime=yes',
        'RestrictSUIDSGID=yes',
        'LockPersonality=yes',
        'MemoryDenyWriteExecute=yes',
        'ProtectClock=yes',
        'ProtectHostname=yes',
        'ProtectKernelLogs=yes',
        'ProtectKernelModules=yes',
        'ProtectControlGroups=yes',
        'SystemCallArchitectures=native',
        'SystemCallFilter=@system-service',
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

/** A server that cannot be reached any more cannot be mended by applying again. */
async function refuseLockout(host: HostPort, spec: FirewallSpec): Promise<void> {
  const connection = host.environment('SSH_CONNECTION')?.split(' ');
  const configured = /^\s*Port\s+(\d+)/im.exec(await sshdConfiguration(host));
  const sshPort = Number(connection?.[3] ?? configured?.[1] ?? 22);
  const rules = spec.allow.filter(({ protocol, port }) => protocol === 'tcp' && port === sshPort);
  if (rules.length === 0) {
    throw new FirewallLockoutError(
      `the firewall section allows no one to reach SSH on port ${sshPort}, and nobody could get in to undo it: ` +
        'add a rule for that port',
    );
  }
  const client = connection?.[0];
  if (client === undefined || client === '') return;
  const allowed = new BlockList();
  for (const range of rules.flatMap(({ from }) => from)) {
    const [network = '', bits = ''] = range.split('/');
    allowed.addSubnet(network, Number(bits), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  if (!allowed.check(client, isIPv6(client) ? 'ipv6' : 'ipv4')) {
    throw new FirewallLockoutError(
      `the firewall section would shut out ${client}, from where this apply comes, of SSH on port ${sshPort}: ` +
        'add a rule that lets it in',
    );
  }
}

/** The first value counts, and Debian's own file includes the folder before all else. */
async function sshdConfiguration(host: HostPort): Promise<string> {
  const folder = '/etc/ssh/sshd_config.d';
  const names = (await host.listDirectory(folder)).filter((name) => name.endsWith('.conf')).sort();
  const files = [...names.map((name) => `${folder}/${name}`), '/etc/ssh/sshd_config'];
  const texts = await Promise.all(
    files.map(async (file) => (await host.readFile(file))?.toString('utf8') ?? ''),
  );
  return texts.join('\n');
}

import type { DnsSpec } from '../../../infra/contract/site-spec';
import { checkPort } from '../checks';
import type { Converger } from '../converge';
import { databaseSql, DUMP_SQL, expectedDump, type DnsDatabase } from '../dns/database';
import { zonesOf } from '../dns/zone';
import { HostUnsuitableError, NotReadyError } from '../errors';
import { ensurePackages } from '../packages';
import { DNS_DIRECTORY } from '../paths';
import { ensureUnit } from '../service';
import { renderUnit, sandbox } from '../unit-text';
import type { SectionContext } from './context';

export const DNS_UNIT = 'failover-dns.service';
const USER = 'failover-dns';
const EVERYWHERE = '0.0.0.0';
const CONFIG_PATH = '/etc/failover/dns/pdns.conf';
const DATA_DIRECTORY = `${DNS_DIRECTORY}/data`;
const DATABASE_PATH = `${DATA_DIRECTORY}/zones.sqlite3`;
const SCHEMA_PATH = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

export async function applyDns({ converger, document }: SectionContext): Promise<void> {
  const spec = document.dns;
  if (spec === undefined) return;
  const { host } = converger;
  const database: DnsDatabase = {
    zones: zonesOf(spec),
    ...(spec.tsigName === undefined
      ? {}
      : { tsigKey: { name: spec.tsigName.toLowerCase(), secret: await converger.credential('tsig-key') } }),
  };
  const listen = listenAddresses(spec, await host.localAddresses());
  for (const protocol of ['udp', 'tcp'] as const) {
    for (const address of listen) await checkPort(host, { protocol, port: 53, address, unit: DNS_UNIT });
  }
  await ensurePackages(converger, {
    names: ['pdns-server', 'pdns-backend-sqlite3', 'sqlite3'],
    mask: ['pdns.service'],
    leaves: { users: ['pdns'], trees: ['/var/spool/powerdns'] },
  });
  const owner = await converger.user(USER);
  await converger.directory(DNS_DIRECTORY, 0o750, owner);
  await converger.tree(DATA_DIRECTORY, 0o750, owner);
  await converger.configDirectory('dns');
  await converger.file(CONFIG_PATH, renderPdnsConfig(spec, listen));
  await ensureDatabase(converger, database);
  const [first = EVERYWHERE] = listen;
  const ask = first === EVERYWHERE ? '127.0.0.1' : first;
  await ensureUnit(converger, {
    name: DNS_UNIT,
    content: dnsUnit(),
    inputs: [CONFIG_PATH],
    ready: { timeoutSeconds: 30, probe: () => probe(converger, spec, ask) },
  });
  // The first question starts the health checks; ask it ourselves rather than let a client get the answer for "none known".
  await probe(converger, spec, ask);
}

/** Only the public addresses where they are ours: local resolvers keep port 53 of the loopback addresses. */
function listenAddresses(spec: DnsSpec, local: readonly string[]): string[] {
  return spec.listen.every((address) => local.includes(address)) ? spec.listen : [EVERYWHERE];
}

async function probe(converger: Converger, spec: DnsSpec, server: string): Promise<string | null> {
  try {
    const soa = await converger.host.queryDns(server, spec.zone, 'SOA');
    if (soa.answers === 0) return `it has no SOA of ${spec.zone} (rcode ${soa.rcode})`;
    const service = await converger.host.queryDns(server, spec.serviceHost, 'A');
    return service.rcode === '0' ? null : `${spec.serviceHost} gets rcode ${service.rcode}`;
  } catch (error) {
    return error instanceof Error ? error.message : 'no answer';
  }
}

/** The secret of the update key goes by standard input and never leaves the process otherwise. */
async function ensureDatabase(converger: Converger, database: DnsDatabase): Promise<void> {
  const { host } = converger;
  const sqlite = async (input: string, what: string): Promise<string> => {
    const result = await host.run('sqlite3', ['-bail', '-batch', DATABASE_PATH], {
      stdin: input,
      user: USER,
    });
    if (result.code !== 0) throw new NotReadyError(`${what} failed: ${result.stderr.trim()}`);
    return result.stdout;
  };
  const dump = async (): Promise<string[]> =>
    (await sqlite(DUMP_SQL, 'reading the DNS database'))
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  const tables = await sqlite(
    "SELECT count(*) FROM sqlite_master WHERE name='domains';\n",
    'opening the database',
  );
  if (tables.trim() === '0') {
    const schema = await host.readFile(SCHEMA_PATH);
    if (schema === null) {
      throw new HostUnsuitableError(`${SCHEMA_PATH} is absent: reinstall the package pdns-backend-sqlite3`);
    }
    await sqlite(
      `BEGIN;\n${schema.toString('utf8').replace(/^\s*PRAGMA.*$/gm, '')}\nCOMMIT;\n`,
      'creating tables',
    );
    converger.changed('created the DNS database');
  }
  const wanted = expectedDump(database);
  if (JSON.stringify(await dump()) === JSON.stringify(wanted)) return;
  await sqlite(databaseSql(database), 'writing the zones');
  if (JSON.stringify(await dump()) !== JSON.stringify(wanted)) {
    throw new NotReadyError('the DNS database reads otherwise than it was written: look at it with sqlite3');
  }
  converger.changed(`wrote the zones ${database.zones.map(({ name }) => name).join(', ')}`);
}

export function renderPdnsConfig(spec: DnsSpec, listen: readonly string[]): string {
  return `# Written by failover-agent apply; changes made here are overwritten.
launch=gsqlite3
gsqlite3-database=${DATABASE_PATH}
local-address=${listen.join(', ')}
enable-lua-records=yes
lua-health-checks-interval=${spec.checkIntervalSeconds}
# Checks go on however seldom somebody asks: an answer must never wait for the first check.
lua-health-checks-expire-delay=31536000
# Answers follow readiness at once; nothing may be served from a cache.
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
zone-metadata-cache-ttl=0
dnsupdate=${spec.tsigName === undefined ? 'no' : 'yes'}
# Zones that take updates say so themselves; all others refuse them.
allow-dnsupdate-from=
disable-axfr=yes
webserver=no
api=no
# Nothing here asks outside servers.
security-poll-suffix=
expand-alias=no
version-string=anonymous
socket-dir=/run/failover-dns
write-pid=no
guardian=no
loglevel=5
`;
}

export function dnsUnit(): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=DNS server of the failover stack',
        'After=network.target failover-firewall.service',
        'StartLimitIntervalSec=0',
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=notify',
        `User=${USER}`,
        `Group=${USER}`,
        'ExecStart=/usr/sbin/pdns_server --config-dir=/etc/failover/dns --daemon=no --log-timestamp=no --disable-syslog',
        'RuntimeDirectory=failover-dns',
        'RuntimeDirectoryMode=0700',
        'Restart=always',
        'RestartSec=1',
        'LimitNOFILE=65536',
        ...sandbox({ writable: [DNS_DIRECTORY], capabilities: ['CAP_NET_BIND_SERVICE'] }),
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

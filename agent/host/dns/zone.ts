import { isIPv6 } from 'node:net';
import type { DnsSpec } from '../../../infra/contract/site-spec';

export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly ttl: number;
}

export interface DnsZone {
  readonly name: string;
  readonly records: readonly DnsRecord[];
  /** Key that may update this zone. */
  readonly tsigName?: string;
}

/** Names, hosts and the like change rarely and only by apply; what follows readiness has the spec's TTL. */
const STATIC_TTL = 300;

/** Names are kept without the trailing dot, as PowerDNS stores them. */
const plain = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** The zone, the same on every nameserver, and on the first one small zone per name that may prove itself to an authority. */
export function zonesOf(spec: DnsSpec): DnsZone[] {
  const zone = plain(spec.zone);
  const hosts = [...new Set(spec.nameservers.map(({ host }) => plain(host)))];
  const [first = ''] = hosts;
  const challenges = [...new Set(spec.challengeHosts.map((host) => `_acme-challenge.${plain(host)}`))];
  return [
    {
      name: zone,
      records: [
        ...apex(spec, zone, hosts, spec.ttlSeconds),
        // A site's host is a nameserver as well as a site, and a record may be there once.
        ...once([
          ...spec.nameservers.flatMap(({ host, address }) => addressRecords(host, [address])),
          ...spec.sites.flatMap(({ host, addresses }) => addressRecords(host, addresses)),
        ]),
        ...serviceRecords(spec),
        ...spec.records.map(({ name, type, value }) => ({
          name: plain(name),
          type,
          content: type === 'TXT' ? quote(value) : type === 'CNAME' ? plain(value) : value,
          ttl: STATIC_TTL,
        })),
        // On the first nameserver a delegation to itself, so that resolvers which walk down label by label find the child zone.
        ...challenges.map((name) => ({ name, type: 'NS', content: first, ttl: STATIC_TTL })),
      ],
    },
    ...challengeZones(spec, challenges, first),
  ];
}

/** They change by updates, and nothing copies those: only the server that takes them may have the zones. */
function challengeZones(spec: DnsSpec, names: readonly string[], nameserver: string): DnsZone[] {
  if (spec.tsigName === undefined) return [];
  const tsigName = plain(spec.tsigName);
  return names.map((name) => ({ name, records: apex(spec, name, [nameserver], 1), tsigName }));
}

function apex(spec: DnsSpec, name: string, nameservers: readonly string[], negativeTtl: number): DnsRecord[] {
  const soa = `${nameservers[0] ?? ''} hostmaster.${plain(spec.zone)} 1 3600 600 604800 ${negativeTtl}`;
  return [
    { name, type: 'SOA', content: soa, ttl: STATIC_TTL },
    ...nameservers.map((content) => ({ name, type: 'NS', content, ttl: STATIC_TTL })),
  ];
}

function once(records: readonly DnsRecord[]): DnsRecord[] {
  return [...new Map(records.map((record) => [`${record.name} ${record.content}`, record])).values()];
}

function addressRecords(host: string, addresses: readonly string[]): DnsRecord[] {
  return addresses.map((address) => ({
    name: plain(host),
    type: isIPv6(address) ? 'AAAA' : 'A',
    content: address,
    ttl: STATIC_TTL,
  }));
}

/**
 * The service name answers the addresses of the first site, in order of preference, that says it is ready. When none
 * is, all addresses: each edge passes requests on, so a client that tries them in turn loses least.
 */
function serviceRecords(spec: DnsSpec): DnsRecord[] {
  return (['A', 'AAAA'] as const).flatMap((type) => {
    const sets = spec.sites
      .map(({ addresses }) => addresses.filter((address) => isIPv6(address) === (type === 'AAAA')))
      .filter((addresses) => addresses.length > 0)
      .map((addresses) => `{${addresses.map((address) => `'${address}'`).join(',')}}`);
    if (sets.length === 0) return [];
    // Seconds, whole: the check must not take longer than its interval, or a dead site delays the next round.
    const timeout = Math.min(2, spec.checkIntervalSeconds);
    const options = [
      // PowerDNS 4.7 spoils a double quote on its way through the record to Lua.
      `stringmatch=string.char(34)..'ready'..string.char(34)..':true'`,
      `selector='all'`,
      `backupSelector='all'`,
      `timeout='${timeout}'`,
      `useragent='failover-dns'`,
      `byteslimit='65536'`,
    ];
    const code = `ifurlup('https://${plain(spec.serviceHost)}/readyz',{${sets.join(',')}},{${options.join(',')}})`;
    return [
      { name: plain(spec.serviceHost), type: 'LUA', content: `${type} ${quote(code)}`, ttl: spec.ttlSeconds },
    ];
  });
}

const quote = (text: string): string => `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;

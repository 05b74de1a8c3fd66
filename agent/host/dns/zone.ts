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

/** The zone, and one small zone per name that may prove itself to a certificate authority. */
export function zonesOf(spec: DnsSpec): DnsZone[] {
  const zone = plain(spec.zone);
  const challenges = spec.tsigName === undefined ? [] : challengeZones(spec);
  return [
    {
      name: zone,
      records: [
        ...apex(spec, zone, spec.ttlSeconds),
        ...addressRecords(spec.nameserverHost, [spec.nameserverAddress]),
        ...serviceRecords(spec),
        ...spec.sites.flatMap(({ host, addresses }) => addressRecords(host, addresses)),
        ...spec.records.map(({ name, type, value }) => ({
          name: plain(name),
          type,
          content: type === 'TXT' ? quote(value) : type === 'CNAME' ? plain(value) : value,
          ttl: STATIC_TTL,
        })),
        // A delegation to ourselves, so that resolvers which walk down label by label find the child zone.
        ...challenges.map((name) => ({
          name,
          type: 'NS',
          content: plain(spec.nameserverHost),
          ttl: STATIC_TTL,
        })),
      ],
    },
    ...challenges.map((name) => ({
      name,
      records: apex(spec, name, 1),
      ...(spec.tsigName === undefined ? {} : { tsigName: plain(spec.tsigName) }),
    })),
  ];
}

function challengeZones(spec: DnsSpec): string[] {
  const hosts = [spec.serviceHost, spec.nameserverHost, ...spec.sites.map(({ host }) => host)];
  const names = hosts.map((host) => `_acme-challenge.${plain(host)}`);
  return names.filter((name, index) => names.indexOf(name) === index);
}

function apex(spec: DnsSpec, name: string, negativeTtl: number): DnsRecord[] {
  const nameserver = plain(spec.nameserverHost);
  const soa = `${nameserver} hostmaster.${plain(spec.zone)} 1 3600 600 604800 ${negativeTtl}`;
  return [
    { name, type: 'SOA', content: soa, ttl: STATIC_TTL },
    { name, type: 'NS', content: nameserver, ttl: STATIC_TTL },
  ];
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

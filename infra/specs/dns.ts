/** What each nameserver must look like with dnsProvider powerdns: the witness's, and one at every dedicated site. */
import { isIP } from 'node:net';
import type { SiteEntry } from '../config/parse';
import type { FlatConfig } from '../config/schema';
import { DnsSpec } from '../contract/site-spec';
import { TSIG_NAME } from './names';

/** A server may have an address of each family; every server has one of the family that comes first. */
const onePerServer = (addresses: readonly string[]): string[] =>
  addresses.filter((address) => isIP(address) === isIP(addresses[0] ?? ''));

/** The witness's first, then the dedicated sites' in the order of the configuration, which is the same in every stack. */
function nameserversOf({ witnessHost, witnessAddresses, sites }: FlatConfig): DnsSpec['nameservers'] {
  const dedicated = sites.filter(({ platform }) => platform === 'dedicated');
  return [
    { host: witnessHost, address: witnessAddresses[0] ?? '' },
    ...dedicated.flatMap(({ host, addresses }) =>
      onePerServer(addresses).map((address) => ({ host, address })),
    ),
  ];
}

/** What all copies of the zone are made from. */
function zoneSpec(settings: FlatConfig): Omit<DnsSpec, 'listen' | 'tsigName'> {
  const { serviceHost, witnessHost, sites } = settings;
  return {
    zone: settings.zone,
    serviceHost,
    ttlSeconds: settings.dnsTtlSeconds,
    checkIntervalSeconds: settings.dnsCheckIntervalSeconds,
    nameservers: nameserversOf(settings),
    sites: sites.map(({ site, host, addresses }) => ({ site, host, addresses })),
    records: [],
    challengeHosts:
      settings.tlsMode === 'acme' ? [serviceHost, witnessHost, ...sites.map(({ host }) => host)] : [],
  };
}

/** The witness's takes the updates of certificates in the making, so it alone has the zones that change. */
export function witnessDns(settings: FlatConfig): DnsSpec {
  return DnsSpec.parse({
    ...zoneSpec(settings),
    listen: settings.witnessAddresses.slice(0, 1),
    ...(settings.tlsMode === 'acme' ? { tsigName: TSIG_NAME } : {}),
  });
}

/** Whether a site's server answers for the zone as well. */
export const servesDns = (
  { dnsProvider }: Pick<FlatConfig, 'dnsProvider'>,
  { platform }: Pick<SiteEntry, 'platform'>,
): boolean => dnsProvider === 'powerdns' && platform === 'dedicated';

/** At every address of a site with one server: its host is a nameserver's name, and has them all. */
export function siteDns(settings: FlatConfig, own: SiteEntry): DnsSpec {
  return DnsSpec.parse({ ...zoneSpec(settings), listen: own.addresses });
}

import { isIP } from 'node:net';
import type { SiteEntry } from '../config/parse';
import type { FlatConfig } from '../config/schema';
import type { FirewallSpec } from '../contract/site-spec';
import { servesDns } from './dns';
import { CLUSTER_PORT, DNS_PORT, HTTPS_PORT, STORE_PORT } from './names';

const hostCidr = (address: string): string => `${address}/${isIP(address) === 6 ? 128 : 32}`;
const unique = (values: readonly string[]): string[] => [...new Set(values)];

type FirewallConfig = Pick<
  FlatConfig,
  | 'sites'
  | 'dnsProvider'
  | 'sshPort'
  | 'managementCidrs'
  | 'clientCidrs'
  | 'dnsCheckerCidrs'
  | 'resolverCidrs'
  | 'witnessAddresses'
>;

function siteCidrs(config: FirewallConfig): string[] {
  return config.sites.flatMap(({ addresses }) => addresses.map(hostCidr));
}

function sshRule(config: FirewallConfig): FirewallSpec['allow'][number] {
  return {
    comment: 'SSH from operators',
    protocol: 'tcp',
    port: config.sshPort,
    from: unique(config.managementCidrs),
  };
}

/** The servers of a site with several, which reach one another. */
export const siblingCidrs = ({ addresses }: Pick<SiteEntry, 'addresses'>, servers: number): string[] =>
  servers > 1 ? addresses.map(hostCidr) : [];

/** Who may reach a site's edge: clients, operators, the peer, its own servers, and whoever checks its readiness for DNS. */
export function edgeCidrs(
  config: FirewallConfig,
  peerAddresses: readonly string[],
  siblings: readonly string[] = [],
): string[] {
  return unique([
    ...config.clientCidrs,
    ...config.managementCidrs,
    ...config.dnsCheckerCidrs,
    ...peerAddresses.map(hostCidr),
    ...siblings,
    ...config.witnessAddresses.map(hostCidr),
  ]);
}

/** Every nameserver answers the same resolvers, and the sites. */
function dnsRules(config: FirewallConfig): FirewallSpec['allow'] {
  const from = unique([...config.resolverCidrs, ...siteCidrs(config)]);
  return [
    { comment: 'DNS', protocol: 'udp', port: DNS_PORT, from },
    { comment: 'DNS', protocol: 'tcp', port: DNS_PORT, from },
  ];
}

/** A site takes HTTPS, DNS where it has a nameserver, and SSH unless it is on AWS, where Session Manager takes its place. */
export function siteFirewall(
  config: FirewallConfig,
  own: Pick<SiteEntry, 'platform'>,
  peerAddresses: readonly string[],
  siblings: readonly string[] = [],
): FirewallSpec {
  return {
    allow: [
      ...(own.platform === 'aws' ? [] : [sshRule(config)]),
      ...(servesDns(config, own) ? dnsRules(config) : []),
      {
        comment: 'HTTPS from clients, operators, peer and DNS checks',
        protocol: 'tcp',
        port: HTTPS_PORT,
        from: edgeCidrs(config, peerAddresses, siblings),
      },
      ...(siblings.length === 0
        ? []
        : [
            {
              comment: 'between the nodes of Qdrant',
              protocol: 'tcp' as const,
              port: CLUSTER_PORT,
              from: unique(siblings),
            },
          ]),
    ],
  };
}

/** The witness answers DNS and keeps the lease; both sites and operators reach its store. */
export function witnessFirewall(config: FirewallConfig): FirewallSpec {
  const storeUsers = unique([...siteCidrs(config), ...config.managementCidrs]);
  return {
    allow: [
      sshRule(config),
      ...dnsRules(config),
      {
        comment: 'lease and snapshots from sites and operators',
        protocol: 'tcp',
        port: STORE_PORT,
        from: storeUsers,
      },
    ],
  };
}

import { isIP } from 'node:net';
import type { SiteEntry } from '../config/parse';
import type { FlatConfig } from '../config/schema';
import type { FirewallSpec } from '../contract/site-spec';
import { DNS_PORT, HTTPS_PORT, STORE_PORT } from './names';

const hostCidr = (address: string): string => `${address}/${isIP(address) === 6 ? 128 : 32}`;
const unique = (values: readonly string[]): string[] => [...new Set(values)];

type FirewallConfig = Pick<
  FlatConfig,
  | 'sites'
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

/** Who may reach a site's edge: clients, operators, the peer, and whoever checks its readiness for DNS. */
export function edgeCidrs(config: FirewallConfig, peerAddresses: readonly string[]): string[] {
  return unique([
    ...config.clientCidrs,
    ...config.managementCidrs,
    ...config.dnsCheckerCidrs,
    ...peerAddresses.map(hostCidr),
    ...config.witnessAddresses.map(hostCidr),
  ]);
}

/** A site takes HTTPS, and SSH unless it is on AWS, where Session Manager takes its place. */
export function siteFirewall(
  config: FirewallConfig,
  own: Pick<SiteEntry, 'platform'>,
  peerAddresses: readonly string[],
): FirewallSpec {
  return {
    allow: [
      ...(own.platform === 'aws' ? [] : [sshRule(config)]),
      {
        comment: 'HTTPS from clients, operators, peer and DNS checks',
        protocol: 'tcp',
        port: HTTPS_PORT,
        from: edgeCidrs(config, peerAddresses),
      },
    ],
  };
}

/** The witness answers DNS and keeps the lease; both sites and operators reach its store. */
export function witnessFirewall(config: FirewallConfig): FirewallSpec {
  const resolvers = unique([...config.resolverCidrs, ...siteCidrs(config)]);
  const storeUsers = unique([...siteCidrs(config), ...config.managementCidrs]);
  return {
    allow: [
      sshRule(config),
      { comment: 'DNS', protocol: 'udp', port: DNS_PORT, from: resolvers },
      { comment: 'DNS', protocol: 'tcp', port: DNS_PORT, from: resolvers },
      {
        comment: 'lease and snapshots from sites and operators',
        protocol: 'tcp',
        port: STORE_PORT,
        from: storeUsers,
      },
    ],
  };
}

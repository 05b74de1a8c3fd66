import { isIP } from 'node:net';
import type { FlatConfig } from '../config/schema';
import type { FirewallSpec } from '../contract/site-spec';
import { DNS_PORT, HTTPS_PORT, STORE_PORT } from './names';

const hostCidr = (address: string): string => `${address}/${isIP(address) === 6 ? 128 : 32}`;
const unique = (values: readonly string[]): string[] => [...new Set(values)];

type FirewallConfig = Pick<
  FlatConfig,
  'sites' | 'sshPort' | 'managementCidrs' | 'clientCidrs' | 'resolverCidrs' | 'witnessAddresses'
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

/** A site takes HTTPS from clients, operators, its peer and the witness, which checks readiness. */
export function siteFirewall(config: FirewallConfig, peerAddresses: readonly string[]): FirewallSpec {
  const from = unique([
    ...config.clientCidrs,
    ...config.managementCidrs,
    ...peerAddresses.map(hostCidr),
    ...config.witnessAddresses.map(hostCidr),
  ]);
  return {
    allow: [
      sshRule(config),
      { comment: 'HTTPS from clients, operators, peer and witness', protocol: 'tcp', port: HTTPS_PORT, from },
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

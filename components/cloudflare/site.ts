/** What the Cloudflare components have in common: the sites, and a plain record for each one's own name. */
import * as cloudflare from '@pulumi/cloudflare';
import * as pulumi from '@pulumi/pulumi';
import { checkAddresses, DnsArgumentError } from '../failover-dns';

export interface CloudflareSite {
  /** Such as `uk-primary`. */
  readonly site: string;
  /** Name of this site alone, such as `uk.example.com`. */
  readonly siteHost: string;
  /** IPv4, of every server of the site. */
  readonly addresses: readonly string[];
}

/** A zone of an Enterprise plan could have 30, which nothing here needs. */
export const MIN_TTL_SECONDS = 60;

/** Throws {@link DnsArgumentError} unless there are at least two sites, each with a name and addresses of its own. */
export function checkSites(serviceHost: string, sites: readonly CloudflareSite[]): void {
  const hosts = [serviceHost, ...sites.map(({ siteHost }) => siteHost)];
  if (sites.length < 2 || new Set(hosts).size !== hosts.length)
    throw new DnsArgumentError(
      'sites',
      sites.map(({ site, siteHost }) => `${site} ${siteHost}`),
      `two or more, each with a name of its own other than ${serviceHost}`,
    );
  for (const { site, addresses } of sites) checkAddresses(site, addresses);
}

/** `uk.example.com` → its servers; never proxied, because the peer and the operators reach the site by it. */
export function siteRecords(
  name: string,
  zoneId: pulumi.Input<string>,
  sites: readonly CloudflareSite[],
  parent: pulumi.Resource,
): void {
  for (const { site, siteHost, addresses } of sites) {
    addresses.forEach((content, index) => {
      new cloudflare.DnsRecord(
        `${name}-${site}-${index + 1}`,
        { zoneId, name: siteHost, type: 'A', content, ttl: MIN_TTL_SECONDS, proxied: false },
        { parent },
      );
    });
  }
}

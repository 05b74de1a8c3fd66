import * as cloudflare from '@pulumi/cloudflare';
import * as pulumi from '@pulumi/pulumi';
import { DnsArgumentError } from '../failover-dns';
import { checkSites, type CloudflareSite, MIN_TTL_SECONDS, siteRecords } from './site';

export interface CloudflareRecordArgs {
  readonly zoneId: pulumi.Input<string>;
  /** Name that fails over, such as `api.example.com`. */
  readonly serviceHost: string;
  /** The first is where the records point when they are made. All have equally many addresses. */
  readonly sites: readonly CloudflareSite[];
  /** @default 60, the least that a zone below Enterprise may have */
  readonly ttlSeconds?: number;
}

/**
 * The service's name as plain records, for plans without load balancing: made once, from then on moved by the agent of
 * the site that holds the lease (`agent/site/dns`). A deployment neither moves them back nor sees that they were moved.
 *
 * Unlike every other provider this one needs Cloudflare's API to be up when a site fails.
 */
export class CloudflareRecord extends pulumi.ComponentResource {
  constructor(name: string, args: CloudflareRecordArgs, opts?: pulumi.ComponentResourceOptions) {
    const { zoneId, serviceHost, sites } = args;
    checkSites(serviceHost, sites);
    const ttl = args.ttlSeconds ?? MIN_TTL_SECONDS;
    if (ttl !== MIN_TTL_SECONDS)
      throw new DnsArgumentError(
        'ttlSeconds',
        ttl,
        `${MIN_TTL_SECONDS}: less needs Enterprise, more is late`,
      );
    const counts = sites.map(({ addresses }) => addresses.length);
    if (new Set(counts).size !== 1)
      throw new DnsArgumentError(
        'addresses',
        Object.fromEntries(sites.map(({ site, addresses }) => [site, addresses.length])),
        'equally many at each site: the agent moves records and neither makes nor removes any',
      );
    super('failover:cloudflare:Record', name, {}, opts);
    const [first] = sites;
    first?.addresses.forEach((content, index) => {
      new cloudflare.DnsRecord(
        `${name}-${index + 1}`,
        {
          zoneId,
          name: serviceHost,
          type: 'A',
          content,
          ttl,
          proxied: false,
          comment: 'Moved by the agent of the site that holds the lease',
        },
        { parent: this, ignoreChanges: ['content'] },
      );
    });
    siteRecords(name, zoneId, sites, this);
    this.registerOutputs();
  }
}

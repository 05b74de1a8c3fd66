import * as cloudflare from '@pulumi/cloudflare';
import * as pulumi from '@pulumi/pulumi';
import type { DnsProvider } from '../failover-dns';
import { CloudflareFailover, type CloudflareFailoverArgs } from './failover';
import { CloudflareRecord, type CloudflareRecordArgs } from './record';

/** With a load balancer (an add-on), or with plain records that the agents move. */
export type CloudflareDnsArgs =
  | { readonly mode: 'load-balancer'; readonly loadBalancer: CloudflareFailoverArgs }
  | { readonly mode: 'record'; readonly record: CloudflareRecordArgs };

type Nameservers = pulumi.Output<readonly string[]>;

/** Cloudflare answers for a zone that exists there already. */
export class CloudflareDns implements DnsProvider<Nameservers> {
  readonly kind = 'cloudflare';
  /** Absent with plain records, and until declared. */
  loadBalancer: CloudflareFailover | undefined;

  constructor(private readonly args: CloudflareDnsArgs) {}

  declare(name: string, parent: pulumi.Resource): { readonly nameservers: Nameservers } {
    const { args } = this;
    if (args.mode === 'load-balancer')
      this.loadBalancer = new CloudflareFailover(`${name}-cloudflare`, args.loadBalancer, { parent });
    else new CloudflareRecord(`${name}-cloudflare`, args.record, { parent });
    const { zoneId } = args.mode === 'load-balancer' ? args.loadBalancer : args.record;
    const zone = cloudflare.getZoneOutput({ zoneId }, { parent });
    return { nameservers: zone.nameServers };
  }
}

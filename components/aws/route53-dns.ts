import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import type { DnsProvider } from '../failover-dns';

export interface Route53DnsArgs {
  /** Name of the zone, such as `ai.example.com`. */
  readonly zone: string;
  /** A hosted zone that exists already; absent: one is made, to be delegated to by the parent zone. */
  readonly zoneId?: string;
  readonly comment: string;
}

type Nameservers = pulumi.Output<readonly string[]>;

/**
 * The hosted zone of the service. The records in it are the sites' own ({@link Route53SiteRecord}), because their
 * addresses are known there, and so that neither stack has to be deployed for the other.
 */
export class Route53Dns implements DnsProvider<Nameservers> {
  readonly kind = 'route53';
  private declaredId: pulumi.Output<string> | undefined;

  constructor(private readonly args: Route53DnsArgs) {}

  /** Known once the zone is declared. */
  get zoneId(): pulumi.Output<string> {
    if (this.declaredId === undefined)
      throw new TypeError('zoneId was read before the zone was declared: hand this to FailoverDns first');
    return this.declaredId;
  }

  declare(name: string, parent: pulumi.Resource): { readonly nameservers: Nameservers } {
    const { zone: zoneName, zoneId, comment } = this.args;
    const zone =
      zoneId === undefined
        ? new aws.route53.Zone(`${name}-zone`, { name: zoneName, comment, forceDestroy: false }, { parent })
        : aws.route53.Zone.get(`${name}-zone`, zoneId, undefined, { parent });
    this.declaredId = zone.zoneId;
    return { nameservers: zone.nameServers };
  }
}

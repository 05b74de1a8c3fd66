import * as pulumi from '@pulumi/pulumi';

/**
 * A way to answer for the service's name from the sites' readiness. PowerDNS is one; Route 53 (failover records and
 * health checks) and Cloudflare (load balancer and monitors) come behind the same interface.
 */
export interface DnsProvider {
  readonly kind: 'powerdns';
  /** Declare it; called once, by {@link FailoverDns}. */
  declare(name: string, parent: pulumi.Resource): { readonly nameservers: readonly string[] };
}

export interface FailoverDnsArgs {
  readonly provider: DnsProvider;
}

/** The service's name follows readiness: no person and no deployment moves it. */
export class FailoverDns extends pulumi.ComponentResource {
  /** Addresses of the servers that answer for the zone. */
  readonly nameservers: readonly string[];

  constructor(name: string, args: FailoverDnsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:FailoverDns', name, {}, opts);
    this.nameservers = args.provider.declare(name, this).nameservers;
    this.registerOutputs({ nameservers: this.nameservers });
  }
}

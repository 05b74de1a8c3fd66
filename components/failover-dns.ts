import { isIPv4 } from 'node:net';
import * as pulumi from '@pulumi/pulumi';
import { FailoverError } from '../infra/errors';

/**
 * A way to answer for the service's name from the sites' readiness: PowerDNS on the witness and on
 * dedicated sites (each stack declares its own copy), Route 53 (failover records and health checks, the sites' stacks') or Cloudflare (load balancer and monitors).
 *
 * @typeParam Servers what is known of the nameservers at preview: all with PowerDNS, nothing elsewhere
 */
export interface DnsProvider<Servers extends pulumi.Input<readonly string[]> = readonly string[]> {
  readonly kind: 'powerdns' | 'route53' | 'cloudflare';
  /** Declare it; called once, by {@link FailoverDns}. */
  declare(name: string, parent: pulumi.Resource): { readonly nameservers: Servers };
}

export interface FailoverDnsArgs<Servers extends pulumi.Input<readonly string[]> = readonly string[]> {
  readonly provider: DnsProvider<Servers>;
}

/** The service's name follows readiness: no person and no deployment moves it. */
export class FailoverDns<Servers extends pulumi.Input<readonly string[]> = readonly string[]>
  extends pulumi.ComponentResource
{
  /** Addresses or names of the servers that answer for the zone. */
  readonly nameservers: Servers;

  constructor(name: string, args: FailoverDnsArgs<Servers>, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:FailoverDns', name, {}, opts);
    this.nameservers = args.provider.declare(name, this).nameservers;
    this.registerOutputs({ nameservers: this.nameservers });
  }
}

/** A DNS component was given what its provider would refuse, or what would fail over too late. */
export class DnsArgumentError extends FailoverError {
  /**
   * @param what the argument, such as `ttlSeconds of uk-primary`
   * @param got what came
   * @param allowed what would do
   */
  constructor(what: string, got: unknown, allowed: string) {
    super('DNS_ARGUMENT', `${what} is ${JSON.stringify(got)}; allowed: ${allowed}`);
  }
}

/** Clients hold on to a lost site for this long, so that no provider's records may live longer. */
export const MAX_TTL_SECONDS = 60;

/** A copy of the addresses of a site, each of them IPv4: all records that fail over are A records. */
export function checkAddresses(site: string, addresses: readonly string[]): string[] {
  if (addresses.length === 0 || !addresses.every((address) => isIPv4(address)))
    throw new DnsArgumentError(`addresses of ${site}`, addresses, 'one or more IPv4 addresses');
  return [...addresses];
}

import type * as pulumi from '@pulumi/pulumi';
import type { DnsSpec } from '../infra/contract/site-spec';
import type { DnsProvider } from './failover-dns';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface PowerDnsArgs {
  /** The server that answers for the zone: the witness's, or a site's. */
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: DnsSpec;
}

/** One copy of the zone on PowerDNS: a LUA record asks each site whether it is ready, from where this server stands. */
export class PowerDns implements DnsProvider {
  readonly kind = 'powerdns';

  constructor(private readonly args: PowerDnsArgs) {}

  declare(name: string, parent: pulumi.Resource): { readonly nameservers: readonly string[] } {
    const { host, after, spec } = this.args;
    applySection(sectionName(name, host), host, 'dns', spec, { parent, dependsOn: [...after] });
    return { nameservers: spec.nameservers.map(({ address }) => address) };
  }
}

import * as pulumi from '@pulumi/pulumi';
import type { FirewallSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface HostFirewallArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: FirewallSpec;
}

/** The server takes in what is named here and drops all else, by an nftables table of its own. */
export class HostFirewall extends pulumi.ComponentResource {
  constructor(name: string, args: HostFirewallArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:HostFirewall', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'firewall', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

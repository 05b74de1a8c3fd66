import * as pulumi from '@pulumi/pulumi';
import type { SiteAgentSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface SiteAgentArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: SiteAgentSpec;
}

/** The site's agent: it holds or awaits the lease, probes, gates writes, publishes and applies. */
export class SiteAgent extends pulumi.ComponentResource {
  constructor(name: string, args: SiteAgentArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:SiteAgent', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'agent', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

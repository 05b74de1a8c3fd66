import * as pulumi from '@pulumi/pulumi';
import type { EdgeSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface EdgeArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: EdgeSpec;
}

/** HAProxy on 443: the only way in, and on to the peer when this site should not or cannot answer. */
export class Edge extends pulumi.ComponentResource {
  constructor(name: string, args: EdgeArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:Edge', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'edge', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

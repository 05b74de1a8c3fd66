import * as pulumi from '@pulumi/pulumi';
import type { LogsSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface LogShippingArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: LogsSpec;
}

/** Brings the server's journal to buckets in two regions, so that it can be read when one is gone. */
export class LogShipping extends pulumi.ComponentResource {
  constructor(name: string, args: LogShippingArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:LogShipping', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'logs', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

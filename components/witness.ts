import * as pulumi from '@pulumi/pulumi';
import type { ObjectStoreSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface WitnessArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: ObjectStoreSpec;
}

/** The witness's object store: the lease, changed only by compare-and-swap, and the published snapshots. */
export class Witness extends pulumi.ComponentResource {
  constructor(name: string, args: WitnessArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:Witness', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'objectStore', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

import * as pulumi from '@pulumi/pulumi';
import type { TimersSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface SnapshotSyncArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: TimersSpec;
}

/** The jobs that publish this site's vectors while it is active and apply the peer's while it is not. */
export class SnapshotSync extends pulumi.ComponentResource {
  constructor(name: string, args: SnapshotSyncArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:SnapshotSync', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'timers', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

import * as pulumi from '@pulumi/pulumi';
import type { VectorsSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface QdrantClusterArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: VectorsSpec;
}

/** Qdrant on one server: a node by itself on loopback, or one of the cluster of a site with several servers. */
export class QdrantCluster extends pulumi.ComponentResource {
  constructor(name: string, args: QdrantClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:QdrantCluster', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'vectors', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

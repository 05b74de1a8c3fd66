import * as pulumi from '@pulumi/pulumi';
import type { InferenceSpec } from '../infra/contract/site-spec';
import { applySection, sectionName } from './section';
import type { AgentHost } from './server';

export interface InferenceServerArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  readonly spec: InferenceSpec;
}

/** vLLM, loaded and awake, listening on loopback only. */
export class InferenceServer extends pulumi.ComponentResource {
  constructor(name: string, args: InferenceServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:InferenceServer', name, {}, opts);
    applySection(sectionName(name, args.host), args.host, 'inference', args.spec, {
      parent: this,
      dependsOn: [...args.after],
    });
    this.registerOutputs();
  }
}

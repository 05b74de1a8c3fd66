import * as pulumi from '@pulumi/pulumi';

/**
 * Depends on everything, so that a destroy comes to it before anything else and stops there. Protecting just what holds data
 * would let a destroy take away names, rules and addresses before it gets that far; protecting each rule and record would
 * refuse their replacement as well.
 */
export class Protection extends pulumi.ComponentResource {
  constructor(protect: boolean, everything: readonly pulumi.Resource[]) {
    super('failover:index:Protection', 'protection', {}, { protect, dependsOn: [...everything] });
    this.registerOutputs();
  }
}

import type * as pulumi from '@pulumi/pulumi';

/** A stack's outputs as its program gives them: some are known only once resources are. */
export type AsInputs<Outputs> = { readonly [Key in keyof Outputs]: pulumi.Input<Outputs[Key]> };

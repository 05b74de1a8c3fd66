import type * as pulumi from '@pulumi/pulumi';
import { Server, type ServerArgs } from './server';
import { asRoot, gpuToolkitScript, ungpuToolkitScript } from './server-scripts';

export interface GpuServerArgs extends ServerArgs {
  /** Whether vLLM runs in a container, which needs NVIDIA's container toolkit on the server. */
  readonly containers: boolean;
}

/** A site's server: a {@link Server} whose GPUs containers can use. */
export class GpuServer extends Server {
  constructor(name: string, args: GpuServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super(name, args, opts, 'failover:dedicated:GpuServer');
    if (args.containers) {
      const { user } = args.ssh;
      this.command(
        `${name}-gpu-toolkit`,
        { create: asRoot(user, gpuToolkitScript()), delete: asRoot(user, ungpuToolkitScript()) },
        [this.release],
      );
    }
  }
}

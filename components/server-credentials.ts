import * as pulumi from '@pulumi/pulumi';
import type { CredentialName } from '../infra/contract/site-spec';
import { applyCredentials, sectionName } from './section';
import type { AgentHost } from './server';

export interface ServerCredentialsArgs {
  readonly host: AgentHost;
  /** What must be in place first, and is taken away later. */
  readonly after: readonly pulumi.Resource[];
  /** By name; each becomes a file that only root can read and that units are lent by systemd. */
  readonly credentials: Readonly<Partial<Record<CredentialName, pulumi.Input<string>>>>;
}

/** The secrets that one server holds. */
export class ServerCredentials extends pulumi.ComponentResource {
  constructor(name: string, args: ServerCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:dedicated:ServerCredentials', name, {}, opts);
    const credentials = pulumi.secret(pulumi.all(args.credentials));
    applyCredentials(sectionName(name, args.host), args.host, credentials, {
      parent: this,
      dependsOn: args.after,
    });
    this.registerOutputs();
  }
}

import * as pulumi from '@pulumi/pulumi';
import { remote } from '@pulumi/command';
import type { AgentBundle } from '../infra/bundle';
import {
  asRoot,
  incomingPath,
  installReleaseScript,
  prepareScript,
  removeSectionsScript,
  SERVER_FOLDERS,
  unprepareScript,
} from './server-scripts';

/** How to log in to a server; shared by all servers of a stack. */
export interface SshArgs {
  readonly user: string;
  readonly port: number;
  /** Unencrypted private key; kept secret. */
  readonly privateKey: pulumi.Output<string>;
  /** Attempts before the server counts as unreachable. */
  readonly dialErrorLimit: number;
  readonly perDialTimeoutSeconds: number;
}

export interface ServerArgs {
  /** Site that the server belongs to, or the witness's name; stands in its specs. */
  readonly site: string;
  /** Name of the server within its site. */
  readonly server: string;
  /** Where SSH reaches it. */
  readonly address: string;
  /** Its public host key line; any other key is refused. */
  readonly hostKey: string;
  readonly ssh: SshArgs;
  readonly bundle: AgentBundle;
  /** Free space needed before anything is installed. @default 1024 */
  readonly minimumFreeMegabytes?: number;
}

/** The artefacts that a site pins (Qdrant, vLLM's image) are builds for this machine type. */
const ARCHITECTURE = 'x86_64';
const MINIMUM_FREE_MEGABYTES = 1024;

/** What the components that put something on a server need to know of it. */
export interface AgentHost extends pulumi.Resource {
  readonly site: string;
  readonly server: string;
  readonly address: string;
  readonly connection: remote.CommandArgs['connection'];
  /** Shell that runs this deployment's agent as root. */
  agentCommand(subcommand: string): string;
  /** Shell that runs whichever agent is installed: a removal may come long after the deployment that asks for it. */
  installedAgentCommand(subcommand: string): string;
}

/** A machine that exists already, reached over SSH, with the agent's bundle installed. */
export class Server extends pulumi.ComponentResource implements AgentHost {
  readonly site: string;
  readonly server: string;
  readonly address: string;
  readonly connection: remote.CommandArgs['connection'];
  /** The step after which the agent can be run. */
  protected readonly release: remote.Command;
  private readonly sudo: string;
  private readonly bundleRelease: string;

  constructor(
    name: string,
    args: ServerArgs,
    opts?: pulumi.ComponentResourceOptions,
    token = 'failover:dedicated:Server',
  ) {
    super(token, name, {}, opts);
    this.site = args.site;
    this.server = args.server;
    this.address = args.address;
    this.sudo = args.ssh.user === 'root' ? '' : 'sudo -n ';
    this.bundleRelease = args.bundle.release;
    this.connection = {
      host: args.address,
      port: args.ssh.port,
      user: args.ssh.user,
      privateKey: pulumi.secret(args.ssh.privateKey),
      hostKey: args.hostKey,
      dialErrorLimit: args.ssh.dialErrorLimit,
      perDialTimeout: args.ssh.perDialTimeoutSeconds,
    };
    const { user } = args.ssh;
    const prepare = this.command(`${name}-prepare`, {
      create: asRoot(
        user,
        prepareScript({
          user,
          architecture: ARCHITECTURE,
          minimumFreeMegabytes: args.minimumFreeMegabytes ?? MINIMUM_FREE_MEGABYTES,
        }),
      ),
      delete: asRoot(user, unprepareScript()),
    });
    const copy = new remote.CopyToRemote(
      `${name}-bundle`,
      {
        connection: this.connection,
        source: new pulumi.asset.FileAsset(args.bundle.path),
        remotePath: incomingPath(args.bundle.release),
      },
      { parent: this, dependsOn: [prepare] },
    );
    this.release = this.command(
      `${name}-release`,
      {
        create: asRoot(user, installReleaseScript(args.bundle)),
        delete: asRoot(user, removeSectionsScript()),
      },
      [copy],
    );
    this.registerOutputs({ address: args.address });
  }

  agentCommand(subcommand: string): string {
    return this.agentAt(`releases/${this.bundleRelease}`, subcommand);
  }

  installedAgentCommand(subcommand: string): string {
    return this.agentAt('current', subcommand);
  }

  /** A command on this server, as a child of it. */
  protected command(
    name: string,
    args: Pick<remote.CommandArgs, 'create' | 'delete'>,
    dependsOn: pulumi.Resource[] = [],
  ): remote.Command {
    return new remote.Command(
      name,
      { connection: this.connection, addPreviousOutputInEnv: false, ...args },
      { parent: this, dependsOn },
    );
  }

  private agentAt(folder: string, subcommand: string): string {
    return `${this.sudo}${SERVER_FOLDERS.node} ${SERVER_FOLDERS.install}/${folder}/failover-agent.js ${subcommand}`;
  }
}

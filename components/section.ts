import * as pulumi from '@pulumi/pulumi';
import { remote } from '@pulumi/command';
import { type SectionName, ServerSpec } from '../infra/contract/site-spec';
import type { AgentHost } from './server';

export interface SectionOptions {
  readonly parent: pulumi.Resource;
  readonly dependsOn?: readonly pulumi.Resource[];
}

/** A component of a site's further servers carries the server's name already. */
export const sectionName = (component: string, { server }: AgentHost): string =>
  component.endsWith(`-${server}`) ? component : `${component}-${server}`;

type PlainSection = Exclude<SectionName, 'credentials'>;

function specText(host: AgentHost, sections: Partial<ServerSpec>): string {
  const { site, server: name } = host;
  return JSON.stringify(ServerSpec.parse({ schemaVersion: 1, server: { site, name }, ...sections }));
}

/**
 * Converge one section of a server. A change of the spec, or of the agent, runs the agent again; taking the resource
 * away removes the section. The spec travels on standard input, in the open, so that a preview shows what changes.
 */
export function applySection<Section extends PlainSection>(
  name: string,
  host: AgentHost,
  section: Section,
  spec: NonNullable<ServerSpec[Section]>,
  opts: SectionOptions,
): remote.Command {
  return new remote.Command(
    name,
    {
      connection: host.connection,
      create: host.agentCommand('apply'),
      delete: host.installedAgentCommand(`remove ${section}`),
      stdin: specText(host, { [section]: spec }),
      addPreviousOutputInEnv: false,
      logging: remote.Logging.StdoutAndStderr,
    },
    { ...opts, dependsOn: [host, ...(opts.dependsOn ?? [])] },
  );
}

/** As {@link applySection}, for the one section that holds secrets: nothing of it or of its output is shown or logged. */
export function applyCredentials(
  name: string,
  host: AgentHost,
  credentials: pulumi.Output<NonNullable<ServerSpec['credentials']>>,
  opts: SectionOptions,
): remote.Command {
  return new remote.Command(
    name,
    {
      connection: host.connection,
      create: host.agentCommand('apply'),
      delete: host.installedAgentCommand('remove credentials'),
      stdin: pulumi.secret(credentials).apply((values) => specText(host, { credentials: values })),
      addPreviousOutputInEnv: false,
      logging: remote.Logging.None,
    },
    { ...opts, dependsOn: [host, ...(opts.dependsOn ?? [])], additionalSecretOutputs: ['stdout', 'stderr'] },
  );
}

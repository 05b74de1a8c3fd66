import * as pulumi from '@pulumi/pulumi';
import type { AgentBundle } from '../../infra/bundle';
import type { ServerArgs } from '../server';
import { Secret } from './recording';

export const BUNDLE: AgentBundle = {
  path: '/tmp/failover-agent.js',
  sha256: 'e'.repeat(64),
  release: 'e'.repeat(12),
};

export const SERVER_ARGS: ServerArgs = {
  site: 'uk-primary',
  server: 'uk-1',
  address: '10.1.0.10',
  hostKey: 'ssh-ed25519 AAAA',
  ssh: {
    user: 'root',
    port: 22,
    privateKey: pulumi.output('PRIVATE'),
    dialErrorLimit: 3,
    perDialTimeoutSeconds: 15,
  },
  bundle: BUNDLE,
};

/** The connection that follows from {@link SERVER_ARGS}, as it is registered: the SDK makes all of it secret. */
export const CONNECTION = new Secret({
  host: '10.1.0.10',
  port: 22,
  user: 'root',
  privateKey: 'PRIVATE',
  hostKey: 'ssh-ed25519 AAAA',
  dialErrorLimit: 3,
  perDialTimeout: 15,
});

/** What every section's command has in common. */
export function sectionInputs(section: string, spec: unknown) {
  return {
    connection: CONNECTION,
    create: `/usr/bin/node /opt/failover/releases/${BUNDLE.release}/failover-agent.js apply`,
    delete: `/usr/bin/node /opt/failover/current/failover-agent.js remove ${section}`,
    stdin: JSON.stringify({
      schemaVersion: 1,
      server: { site: 'uk-primary', name: 'uk-1' },
      [section]: spec,
    }),
    addPreviousOutputInEnv: false,
    logging: 'stdoutAndStderr',
  };
}

/** The server's own steps, on which every section depends. */
export const SERVER_STEPS = ['uk-1-prepare', 'uk-1-bundle', 'uk-1-release'];

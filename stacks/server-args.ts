import type { ServerArgs } from '../components/server';
import type { AgentBundle } from '../infra/bundle';
import type { SiteConfig, WitnessConfig } from '../infra/config';

/** How one of the stack's servers, the first unless said otherwise, is reached and what is installed on it. */
export function serverArgs(
  config: SiteConfig | WitnessConfig,
  site: string,
  bundle: AgentBundle,
  server = config.server,
): ServerArgs {
  const { settings, secrets } = config;
  return {
    site,
    server: server.name,
    address: server.address,
    hostKey: server.hostKey,
    ssh: {
      user: settings.sshUser,
      port: settings.sshPort,
      privateKey: secrets.sshPrivateKey,
      dialErrorLimit: settings.sshDialErrorLimit,
      perDialTimeoutSeconds: settings.sshPerDialTimeoutSeconds,
    },
    bundle,
  };
}

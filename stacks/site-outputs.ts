import type { AwsSiteConfig, SiteConfig } from '../infra/config';
import type { SiteOutputs } from '../infra/contract/stack-outputs';
import type { AsInputs } from './outputs';

export interface SiteFacts {
  readonly servers: readonly { readonly name: string; readonly address: string }[];
  readonly configHash: string;
  /** Of all that answer for the zone, where the site is one of them. */
  readonly nameservers?: readonly string[];
}

/** What runbooks and the `failover` CLI read of a site's stack, on any platform. */
export function siteOutputs(config: SiteConfig | AwsSiteConfig, facts: SiteFacts): AsInputs<SiteOutputs> {
  const { settings, own, peer, caCertificate, budget, cost } = config;
  return {
    kind: 'site',
    site: own.site,
    platform: config.platform,
    peerSite: peer.site,
    servers: facts.servers.map(({ name, address }) => ({ name, address })),
    ...(facts.nameservers === undefined ? {} : { nameservers: [...facts.nameservers] }),
    serviceUrl: `https://${settings.serviceHost}`,
    siteUrl: `https://${own.host}`,
    peerUrl: `https://${peer.host}`,
    dnsTtlSeconds: settings.dnsTtlSeconds,
    switchingMode: settings.switchingMode,
    configHash: facts.configHash,
    modelName: settings.modelName,
    modelSha256: settings.modelSha256,
    qdrantVersion: settings.qdrantVersion,
    budget,
    ...(cost === null ? {} : { cost }),
    ...(caCertificate === undefined ? {} : { caCertificate }),
  };
}

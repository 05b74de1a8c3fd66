import type { FlatConfig } from './schema';

export type Platform = FlatConfig['witnessPlatform'];

/** Names that follow from others when they are not set. */
export const serviceHostOf = (config: Pick<FlatConfig, 'serviceHost' | 'zone'>): string =>
  config.serviceHost === '' ? `api.${config.zone}` : config.serviceHost;

export const witnessHostOf = (config: Pick<FlatConfig, 'witnessHost' | 'zone'>): string =>
  config.witnessHost === '' ? `witness.${config.zone}` : config.witnessHost;

/** What this stack runs on; `cloudflare` is a witness only. */
export const platformOf = (
  config: Pick<FlatConfig, 'stackKind' | 'site' | 'sites' | 'witnessPlatform'>,
): Platform =>
  config.stackKind === 'witness'
    ? config.witnessPlatform
    : (config.sites.find(({ site }) => site === config.site)?.platform ?? 'dedicated');

/** Keys that say it: while one is of the wrong shape, nothing that depends on the platform is checked. */
export const PLATFORM_KEYS: readonly (keyof FlatConfig)[] = ['stackKind', 'site', 'sites', 'witnessPlatform'];

/** AWS regions of the sites that are there. */
export const siteRegionsOf = ({ sites }: Pick<FlatConfig, 'sites'>): string[] =>
  sites.filter(({ platform }) => platform === 'aws').map(({ region }) => region);

export const initialSiteOf = (config: Pick<FlatConfig, 'initialSite' | 'sites'>): string =>
  config.initialSite === '' ? (config.sites[0]?.site ?? '') : config.initialSite;

import type { FlatConfig } from './schema';

/** Names that follow from others when they are not set. */
export const serviceHostOf = (config: Pick<FlatConfig, 'serviceHost' | 'zone'>): string =>
  config.serviceHost === '' ? `api.${config.zone}` : config.serviceHost;

export const witnessHostOf = (config: Pick<FlatConfig, 'witnessHost' | 'zone'>): string =>
  config.witnessHost === '' ? `witness.${config.zone}` : config.witnessHost;

export const initialSiteOf = (config: Pick<FlatConfig, 'initialSite' | 'sites'>): string =>
  config.initialSite === '' ? (config.sites[0]?.site ?? '') : config.initialSite;

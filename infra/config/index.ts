export {
  loadConfig,
  type AwsSiteConfig,
  type AnyWitnessConfig,
  type AwsWitnessConfig,
  type CloudflareWitnessConfig,
  type SiteConfig,
  type StackConfig,
  type WitnessConfig,
} from './load';
export type { ServerConfig, SiteEntry } from './parse';
export { ConfigurationError } from './problems';
export type { FlatConfig } from './schema';

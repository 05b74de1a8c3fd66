/** From raw configuration to what a stack's program works with, or an error that names everything wrong at once. */
import { computeBudget } from '../budgets';
import type { BudgetOutput, CostOutput } from '../contract/stack-outputs';
import { computeCost } from '../costs';
import { decodeConfig, type RawConfig } from './decode';
import type { ReadText } from './files';
import { initialSiteOf, PLATFORM_KEYS, platformOf, serviceHostOf, witnessHostOf } from './names';
import { ConfigurationError } from './problems';
import { RULES } from './rules';
import type { FlatConfig } from './schema';
import { readStackFiles, type StackFiles } from './stack-files';

export type ServerConfig = FlatConfig['servers'][number];
export type SiteEntry = FlatConfig['sites'][number];

interface ParsedCommon {
  readonly stack: string;
  /** Every key as written; names that may be left out are filled in. */
  readonly settings: FlatConfig;
  readonly files: StackFiles;
  readonly budget: BudgetOutput;
  /** Null while the configuration says nothing of costs. */
  readonly cost: CostOutput | null;
}
interface OnServers {
  readonly platform: 'dedicated';
  /** The first server; a witness has no other. */
  readonly server: ServerConfig;
  readonly servers: readonly ServerConfig[];
}
interface OnAws {
  readonly platform: 'aws';
}
interface OnCloudflare {
  readonly platform: 'cloudflare';
}
interface Site {
  readonly kind: 'site';
  readonly own: SiteEntry;
  readonly peer: SiteEntry;
}
interface Witness {
  readonly kind: 'witness';
}
export type ParsedSite = ParsedCommon & Site & OnServers;
export type ParsedWitness = ParsedCommon & Witness & OnServers;
export type ParsedAwsSite = ParsedCommon & Site & OnAws;
export type ParsedAwsWitness = ParsedCommon & Witness & OnAws;
export type ParsedCloudflareWitness = ParsedCommon & Witness & OnCloudflare;
export type ParsedConfig =
  ParsedSite | ParsedWitness | ParsedAwsSite | ParsedAwsWitness | ParsedCloudflareWitness;

export interface ParsePorts {
  readonly read: ReadText;
  readonly now: Date;
}

function brokenRule(): never {
  throw new TypeError('the rules let a configuration pass that lacks its stack kind, server or sites');
}

/** @throws ConfigurationError naming each problem, with what is allowed and what to do. */
export function parseConfig(stack: string, raw: RawConfig, ports: ParsePorts): ParsedConfig {
  const { config, badKeys, problems: shapeProblems } = decodeConfig(raw);
  const placed = !PLATFORM_KEYS.some((key) => badKeys.has(key));
  const applicable = RULES.filter(
    ({ kind, platform, reads }) =>
      (kind === undefined || kind === config.stackKind) &&
      (platform === undefined || (placed && platform === platformOf(config))) &&
      !reads.some((key) => badKeys.has(key)),
  );
  const problems = [...shapeProblems, ...applicable.flatMap(({ check }) => check(config))];
  // Files are looked at even so, as far as they can be: a missing key file should not wait for the next attempt.
  const { files, problems: fileProblems } =
    config.stackKind === ''
      ? { files: undefined, problems: [] }
      : readStackFiles(config, ports.read, ports.now, badKeys);
  problems.push(...fileProblems);
  if (problems.length > 0) throw new ConfigurationError(stack, problems);

  if (files === undefined) brokenRule();
  const settings = {
    ...config,
    serviceHost: serviceHostOf(config),
    witnessHost: witnessHostOf(config),
    initialSite: initialSiteOf(config),
  };
  const common = { stack, settings, files, budget: computeBudget(config), cost: computeCost(config) };
  if (config.stackKind === 'witness') {
    return config.witnessPlatform === 'cloudflare'
      ? { kind: 'witness', platform: 'cloudflare', ...common }
      : { kind: 'witness', ...hostingOf(config), ...common };
  }
  const own = config.sites.find(({ site }) => site === config.site);
  const peer = config.sites.find(({ site }) => site !== config.site);
  if (own === undefined || peer === undefined) brokenRule();
  return { kind: 'site', ...hostingOf(config), ...common, own, peer };
}

function hostingOf(config: FlatConfig): OnServers | OnAws {
  if (platformOf(config) === 'aws') return { platform: 'aws' };
  const server = config.servers[0];
  if (server === undefined) brokenRule();
  return { platform: 'dedicated', server, servers: config.servers };
}

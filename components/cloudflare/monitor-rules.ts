/** What Cloudflare's monitors take, checked at preview: the API refuses the rest only once pools are half made. */
import { DnsArgumentError, MAX_TTL_SECONDS } from '../failover-dns';

/** Plan of the zone; the Load Balancing add-on of a Free zone counts as `pro`. */
export type CloudflarePlan = 'pro' | 'business' | 'enterprise';

/** Shortest interval between two checks of one data centre, by plan. Cloudflare's documentation, 2025. */
export const MIN_INTERVAL_SECONDS: Readonly<Record<CloudflarePlan, number>> = {
  pro: 60,
  business: 15,
  enterprise: 10,
};
const MAX_INTERVAL_SECONDS = 3600;

/** Cloudflare asks from three data centres of each region; most of them, in most regions, decide. */
export const CHECK_REGIONS = [
  'WNAM',
  'ENAM',
  'WEU',
  'EEU',
  'NSAM',
  'SSAM',
  'OC',
  'ME',
  'NAF',
  'SAF',
  'SAS',
  'SEAS',
  'NEAS',
] as const;
export type CheckRegion = (typeof CHECK_REGIONS)[number];

export interface MonitorRules {
  readonly plan: CloudflarePlan;
  readonly checkIntervalSeconds: number;
  readonly failureThreshold: number;
  readonly recoveryThreshold: number;
  readonly checkTimeoutSeconds: number;
  readonly checkRegions: readonly string[];
  readonly ttlSeconds: number;
  readonly searchString: string;
}

const wholeBetween = (value: number, low: number, high: number): boolean =>
  Number.isInteger(value) && value >= low && value <= high;

/** Throws {@link DnsArgumentError}. */
export function checkMonitor(args: MonitorRules): void {
  const refuse = (what: keyof MonitorRules, allowed: string): never => {
    throw new DnsArgumentError(what, args[what], allowed);
  };
  const minimum = MIN_INTERVAL_SECONDS[args.plan];
  if (!wholeBetween(args.checkIntervalSeconds, minimum, MAX_INTERVAL_SECONDS))
    refuse(
      'checkIntervalSeconds',
      `${minimum} to ${MAX_INTERVAL_SECONDS} on plan ${args.plan} (` +
        Object.entries(MIN_INTERVAL_SECONDS)
          .map(([plan, seconds]) => `${plan} ${seconds}`)
          .join(', ') +
        ')',
    );
  if (!wholeBetween(args.failureThreshold, 1, 10)) refuse('failureThreshold', 'a whole number from 1 to 10');
  if (!wholeBetween(args.recoveryThreshold, 1, 10))
    refuse('recoveryThreshold', 'a whole number from 1 to 10');
  if (!wholeBetween(args.checkTimeoutSeconds, 1, Math.min(10, args.checkIntervalSeconds - 1)))
    refuse('checkTimeoutSeconds', 'a whole number from 1 to 10, less than checkIntervalSeconds');
  if (!wholeBetween(args.ttlSeconds, 1, MAX_TTL_SECONDS))
    refuse(
      'ttlSeconds',
      `a whole number from 1 to ${MAX_TTL_SECONDS}: clients hold on to a lost site for so long`,
    );
  if (args.searchString === '') refuse('searchString', 'text that only a ready site answers');
  const { checkRegions } = args;
  if (
    checkRegions.length === 0 ||
    new Set(checkRegions).size !== checkRegions.length ||
    !checkRegions.every((region) => CHECK_REGIONS.some((known) => known === region))
  )
    refuse('checkRegions', `one or more different ones of ${CHECK_REGIONS.join(', ')}`);
}

/** Longest from a site's loss until every answer is another site's, but for caches: what a budget should count. */
export function detectionSeconds({
  checkIntervalSeconds,
  failureThreshold,
  checkTimeoutSeconds,
}: Pick<MonitorRules, 'checkIntervalSeconds' | 'failureThreshold' | 'checkTimeoutSeconds'>): number {
  return checkIntervalSeconds * failureThreshold + checkTimeoutSeconds;
}

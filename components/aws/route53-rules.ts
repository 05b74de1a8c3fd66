/** What Route 53 takes, checked at preview: it refuses the rest only once resources are half made. */
import { DnsArgumentError, MAX_TTL_SECONDS } from '../failover-dns';

/** Where Route 53 has health checkers. */
export const CHECKER_REGIONS = [
  'us-east-1',
  'us-west-1',
  'us-west-2',
  'eu-west-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-northeast-1',
  'sa-east-1',
] as const;
export type CheckerRegion = (typeof CHECKER_REGIONS)[number];

/** Route 53's own minimum, when regions are named. */
const MIN_CHECKER_REGIONS = 3;
/** Route 53's own bound on what is searched for. */
const MAX_SEARCH_CHARACTERS = 255;

export interface SiteRecordRules {
  readonly site: string;
  readonly serviceHost: string;
  readonly siteHost: string;
  readonly ttlSeconds: number;
  readonly requestIntervalSeconds: number;
  readonly failureThreshold: number;
  readonly searchString: string;
  readonly checkerRegions: readonly string[];
}

interface Check {
  readonly what: keyof SiteRecordRules;
  readonly ok: (args: SiteRecordRules) => boolean;
  readonly allowed: string;
}

const wholeBetween = (value: number, low: number, high: number): boolean =>
  Number.isInteger(value) && value >= low && value <= high;

const CHECKS: readonly Check[] = [
  {
    what: 'siteHost',
    // Checked by the name that fails over, the check would see whichever site is answered, and never the lost one.
    ok: ({ siteHost, serviceHost }) => siteHost !== serviceHost,
    allowed: "a name of the site's own, other than serviceHost",
  },
  {
    what: 'ttlSeconds',
    ok: ({ ttlSeconds }) => wholeBetween(ttlSeconds, 1, MAX_TTL_SECONDS),
    allowed: `a whole number from 1 to ${MAX_TTL_SECONDS}: clients hold on to a lost site for so long`,
  },
  {
    what: 'requestIntervalSeconds',
    ok: ({ requestIntervalSeconds }) => [10, 30].includes(requestIntervalSeconds),
    allowed: '10 or 30',
  },
  {
    what: 'failureThreshold',
    ok: ({ failureThreshold }) => wholeBetween(failureThreshold, 1, 10),
    allowed: 'a whole number from 1 to 10',
  },
  {
    what: 'searchString',
    ok: ({ searchString }) => wholeBetween(searchString.length, 1, MAX_SEARCH_CHARACTERS),
    allowed: `1 to ${MAX_SEARCH_CHARACTERS} characters`,
  },
  {
    what: 'checkerRegions',
    ok: ({ checkerRegions }) =>
      new Set(checkerRegions).size === checkerRegions.length &&
      checkerRegions.length >= MIN_CHECKER_REGIONS &&
      checkerRegions.every((region) => CHECKER_REGIONS.some((known) => known === region)),
    allowed: `${MIN_CHECKER_REGIONS} or more different ones of ${CHECKER_REGIONS.join(', ')}`,
  },
];

/** Throws {@link DnsArgumentError} for the first argument that Route 53 would not take. */
export function checkSiteRecord(args: SiteRecordRules): void {
  for (const { what, ok, allowed } of CHECKS) {
    if (!ok(args)) throw new DnsArgumentError(`${what} of ${args.site}`, args[what], allowed);
  }
}

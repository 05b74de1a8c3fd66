/** What a case of the data drill is, and what is measured of it. */
import type { DrillSite } from './drill-site';
import type { DrillWorld } from './drill-world';
import type { Difference } from './write-record';

/** Cases of one group share a world, one after another. */
export const GROUPS = [
  'publish',
  'apply',
  'apply, holder lost',
  'failover',
  're-protect',
  'hand-over',
  'store',
  'damage',
  'restore test',
  'disk',
  'clock',
  'direction',
  'collections',
] as const;
export type Group = (typeof GROUPS)[number];

export interface Happened {
  /** Where the fault struck, as the process that it struck told. */
  readonly step: string;
  /** The refusal's code, or in a few words what came of it. */
  readonly outcome: string;
}

export interface DataCase {
  readonly name: string;
  readonly group: Group;
  /** Every outcome that is right; anything else fails the case. */
  readonly expected: readonly string[];
  readonly run: (drill: CaseContext) => Promise<Happened>;
}

export interface CaseContext {
  readonly world: DrillWorld;
  readonly holder: DrillSite;
  readonly standby: DrillSite;
  /** Points that turned out to be missing count against the case. */
  readonly count: (what: string, difference: Difference) => void;
}

export interface CaseResult {
  readonly name: string;
  readonly group: Group;
  readonly step: string;
  readonly outcome: string;
  /** Of the published state, or of what was acknowledged where nothing may be lost; must be 0. */
  readonly pointsLost: number;
  readonly seconds: number;
  /** Why it failed; empty when it passed. */
  readonly problems: readonly string[];
  /** Of a case that failed: what the agents told last. */
  readonly events?: readonly string[];
}

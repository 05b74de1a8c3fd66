/** What the second region costs, from the figures in the configuration. */
import type { FlatConfig } from './config/schema';
import { initialSiteOf } from './config/names';
import type { CostOutput } from './contract/stack-outputs';

export type CostInput = Pick<FlatConfig, 'monthlyCostsUsd' | 'maxCostPercent' | 'sites' | 'initialSite'>;

/** The witness's key beside the sites' names. */
export const WITNESS_COST = 'witness';

/** Null when nothing is said of costs. A site that nothing is said of counts as free, which a rule refuses. */
export function computeCost(config: CostInput): CostOutput | null {
  const { monthlyCostsUsd: costs, maxCostPercent } = config;
  const oneRegion = costs[initialSiteOf(config)] ?? 0;
  if (oneRegion === 0) return null;
  const total = Object.values(costs).reduce((sum, cost) => sum + cost, 0);
  return {
    monthlyUsd: costs,
    oneRegionMonthlyUsd: oneRegion,
    totalMonthlyUsd: Math.round(total * 100) / 100,
    factor: Math.round((total / oneRegion) * 100) / 100,
    maximumFactor: maxCostPercent / 100,
  };
}

import { computeCost, WITNESS_COST } from '../../costs';
import { initialSiteOf } from '../names';
import { none, type Rule, when } from './rule';

/** Rules on what everything costs. */
export const costRules: readonly Rule[] = [
  {
    reads: ['monthlyCostsUsd', 'sites', 'initialSite'],
    check: (config) => {
      const given = Object.keys(config.monthlyCostsUsd);
      if (given.length === 0) return none;
      const wanted = [...config.sites.map(({ site }) => site), WITNESS_COST];
      const wrong = [
        ...given.filter((name) => !wanted.includes(name)),
        ...wanted.filter((name) => !given.includes(name)),
      ];
      return [
        ...when(wrong.length > 0, {
          key: 'monthlyCostsUsd',
          got: given,
          allowed: `a cost for each of ${wanted.join(', ')} and nothing else, or {} to check nothing`,
        }),
        ...when(config.monthlyCostsUsd[initialSiteOf(config)] === 0, {
          key: 'monthlyCostsUsd',
          got: config.monthlyCostsUsd,
          allowed: `more than 0 for ${initialSiteOf(config)}: the other costs are compared with it`,
        }),
      ];
    },
  },
  {
    reads: ['monthlyCostsUsd', 'maxCostPercent', 'sites', 'initialSite'],
    check: (config) => {
      const cost = computeCost(config);
      if (cost === null) return none;
      const terms = Object.entries(cost.monthlyUsd).map(([name, usd]) => `${usd} (${name})`);
      return when(cost.factor > cost.maximumFactor, {
        key: 'maxCostPercent',
        got: config.maxCostPercent,
        allowed:
          `at least ${Math.ceil(cost.factor * 100)}: ${terms.join(' + ')} = ${cost.totalMonthlyUsd} US dollars a month, ` +
          `${cost.factor} times one region`,
        fix: 'Make the standby smaller, or say that so much is wanted.',
      });
    },
  },
];

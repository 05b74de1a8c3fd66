/** What a stack promises and costs, in a line: shown by every preview. */
import type { BudgetOutput, CostOutput } from './contract/stack-outputs';

const money = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 2, useGrouping: false });

function costText(cost: CostOutput | null): string {
  if (cost === null) return 'cost not known (monthlyCostsUsd is not set)';
  const parts = Object.entries(cost.monthlyUsd).map(([name, usd]) => `${name} ${money.format(usd)}`);
  return (
    `cost ${money.format(cost.totalMonthlyUsd)} US dollars a month (${parts.join(' + ')}), ` +
    `${cost.factor} x one region, at most ${cost.maximumFactor} x`
  );
}

/** A worst case is never rounded down. */
const whole = Math.ceil;

/** One sentence; seconds are worst cases. */
export function figuresText({ rto, rpo }: BudgetOutput, cost: CostOutput | null): string {
  return (
    `RTO ${whole(rto.predictedSeconds)} s of ${rto.objectiveSeconds} s ` +
    `(region lost ${whole(rto.regionLoss.totalSeconds)} s, engine hung ${whole(rto.sickHolder.totalSeconds)} s); ` +
    `RPO ${whole(rpo.predictedSeconds)} s of ${rpo.objectiveSeconds} s; ${costText(cost)}`
  );
}

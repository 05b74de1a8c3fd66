import { computeBudget } from './budgets';
import { AWS_SITE, parse, validFiles } from './config/testing/valid-config';
import { TestAuthority } from './config/testing/certificates';
import { figuresText } from './figures';

it('tells budgets and cost in a line', () => {
  const authority = new TestAuthority();
  const files = validFiles(authority);
  authority.remove();
  const monthlyCostsUsd = { 'uk-primary': 900, 'eu-standby': 850.5, witness: 20 };
  const { budget, cost, settings } = parse({ ...AWS_SITE, monthlyCostsUsd }, files);
  expect(figuresText(budget, cost)).toBe(
    'RTO 275 s of 300 s (region lost 206 s, engine hung 275 s); RPO 480 s of 3600 s; ' +
      'cost 1770.5 US dollars a month (uk-primary 900 + eu-standby 850.5 + witness 20), 1.97 x one region, at most 2 x',
  );
  expect(figuresText(computeBudget(settings), null)).toMatch(
    /; cost not known \(monthlyCostsUsd is not set\)$/,
  );
});

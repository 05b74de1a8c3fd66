import { tlsRules } from './certificates';
import type { Rule } from './rule';
import { siteRules } from './sites';
import { siteSoftwareRules, witnessSoftwareRules } from './software';
import { timingRules } from './timings';
import { worldRules } from './world';

export type { Rule } from './rule';

export const RULES: readonly Rule[] = [
  ...worldRules,
  ...siteRules,
  ...timingRules,
  ...siteSoftwareRules,
  ...witnessSoftwareRules,
  ...tlsRules,
];

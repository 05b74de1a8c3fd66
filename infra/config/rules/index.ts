import { cloudRules } from './clouds';
import { tlsRules } from './certificates';
import { costRules } from './costs';
import type { Rule } from './rule';
import { siteRules } from './sites';
import { siteSoftwareRules, witnessSoftwareRules } from './software';
import { timingRules } from './timings';
import { dedicatedRules, worldRules } from './world';

export type { Rule } from './rule';

export const RULES: readonly Rule[] = [
  ...worldRules,
  ...dedicatedRules,
  ...siteRules,
  ...timingRules,
  ...siteSoftwareRules,
  ...witnessSoftwareRules,
  ...tlsRules,
  ...cloudRules,
  ...costRules,
];

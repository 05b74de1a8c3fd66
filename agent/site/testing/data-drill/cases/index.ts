import type { DataCase } from '../data-case';
import { KILL_APPLY, KILL_APPLY_HOLDER_LOST } from './kill-apply';
import { KILL_PUBLISH } from './kill-publish';

/** Everything that is tried, in the order of the report. */
export function allCases(): readonly DataCase[] {
  return [...KILL_PUBLISH, ...KILL_APPLY, ...KILL_APPLY_HOLDER_LOST];
}

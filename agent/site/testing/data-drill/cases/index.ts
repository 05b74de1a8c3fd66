import type { DataCase } from '../data-case';
import { CLOCK } from './clock';
import { COLLECTIONS } from './collections';
import { DAMAGE } from './damage';
import { DIRECTION } from './direction';
import { DISK_FULL } from './disk-full';
import { KILL_APPLY, KILL_APPLY_HOLDER_LOST } from './kill-apply';
import { KILL_FAILOVER } from './kill-failover';
import { KILL_HANDOVER } from './kill-handover';
import { KILL_PUBLISH } from './kill-publish';
import { KILL_REPROTECT } from './kill-reprotect';
import { RESTORE_TEST } from './restore-test';
import { STORE_OUTAGE } from './store-outage';

/** Everything that is tried, in the order of the report. */
export function allCases(): readonly DataCase[] {
  return [
    ...KILL_PUBLISH,
    ...KILL_APPLY,
    ...KILL_APPLY_HOLDER_LOST,
    ...KILL_FAILOVER,
    ...KILL_REPROTECT,
    ...KILL_HANDOVER,
    ...STORE_OUTAGE,
    ...DAMAGE,
    ...RESTORE_TEST,
    ...DISK_FULL,
    ...CLOCK,
    ...DIRECTION,
    ...COLLECTIONS,
  ];
}

/** Disks that are full, or fill up in the middle: refused whole, and well again once there is room. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CaseContext, DataCase, Happened } from '../data-case';
import { HIT_SECONDS } from './timing';

const MIB = 1024 * 1024;
const STORE_FULL_MS = 6_000;
const THROUGH = 'went through';

interface FullDisk {
  readonly name: string;
  readonly whose: 'holder' | 'standby' | 'store';
  readonly leaveBytes: number;
  readonly operation: 'publish' | 'apply';
  /** Filled when this is reached; absent: before. */
  readonly step?: string;
  readonly expected: readonly string[];
}

const FULL_DISKS: readonly FullDisk[] = [
  {
    name: "publisher's disk is all but full",
    ...{ whose: 'holder', leaveBytes: 2 * MIB, operation: 'publish' },
    expected: ['DISK_SPACE', 'QDRANT_REQUEST_FAILED'],
  },
  {
    name: "publisher's disk fills up during a publish",
    ...{ whose: 'holder', leaveBytes: 0, operation: 'publish', step: 'publish/snapshots-cut' },
    expected: ['DISK_SPACE', 'QDRANT_REQUEST_FAILED', 'ENOSPC'],
  },
  {
    name: "standby's disk is all but full",
    ...{ whose: 'standby', leaveBytes: 2 * MIB, operation: 'apply' },
    expected: ['DISK_SPACE'],
  },
  {
    name: "standby's disk fills up once the parts are there",
    ...{ whose: 'standby', leaveBytes: 0, operation: 'apply', step: 'apply/marked' },
    expected: ['QDRANT_REQUEST_FAILED'],
  },
  {
    name: "store's disk is full for at most 6 s",
    ...{ whose: 'store', leaveBytes: 0, operation: 'publish' },
    expected: [THROUGH, 'SNAPSHOT_STORE_UNREACHABLE', 'REPOSITORY_FAILED'],
  },
];

export const DISK_FULL: readonly DataCase[] = FULL_DISKS.map((full) => ({
  name: full.name,
  group: 'disk',
  expected: full.expected,
  run: (drill) => onFullDisk(drill, full),
}));

async function onFullDisk(drill: CaseContext, full: FullDisk): Promise<Happened> {
  const { world, holder, standby, count } = drill;
  if (full.operation === 'apply') await world.published(holder);
  const site = full.operation === 'publish' ? holder : standby;
  const work = () => (full.operation === 'publish' ? world.publish(site) : site.apply());
  const disk = world.disk(full.whose === 'store' ? 'store' : drill[full.whose].name);
  try {
    let working;
    if (full.step === undefined) {
      disk.fill(full.leaveBytes);
      working = work();
    } else {
      await site.agent.arm({ step: full.step, nth: 1, action: 'hold' });
      working = work();
      await site.agent.holdsAt(full.step, HIT_SECONDS);
      disk.fill(full.leaveBytes);
      await site.agent.release();
    }
    // The store's own: whoever sends to it may try again until there is room.
    if (full.whose === 'store') {
      await Promise.race([working, delay(STORE_FULL_MS)]);
      disk.free();
    }
    const { code } = await working;
    if (standby.ledger()?.applying == null) {
      count(`at ${standby.name}, on a full disk`, await world.missing(standby));
    }
    return { step: full.step ?? 'before', outcome: code === 'ok' ? THROUGH : code };
  } finally {
    disk.free();
  }
}

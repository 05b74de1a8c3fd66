import type { LeaseHistoryEntry } from '../../infra/contract/agent-api';
import type { Attempt } from '../drill/record';
import { checkHistory, publishBegunAt, type Rule, type WriteHistory } from './history';

const T0 = Date.parse('2026-03-01T03:00:00Z');

function write(pointId: number, second: number, about: Partial<Attempt> = {}): Attempt {
  return {
    client: 'pinned',
    seq: pointId,
    pointId,
    start: T0 + second * 1000,
    end: T0 + second * 1000 + 20,
    ok: true,
    status: 200,
    site: 'uk',
    epoch: 1,
    address: null,
    error: null,
    ...about,
  };
}
const refused = { ok: false, status: 503, epoch: null } as const;

function change(epoch: number, second: number, about: Partial<LeaseHistoryEntry>): LeaseHistoryEntry {
  return {
    epoch,
    holder: 'eu',
    previousHolder: 'uk',
    at: new Date(T0 + second * 1000).toISOString(),
    cause: 'expired',
    by: 'agent',
    reason: '',
    dataAgeSeconds: null,
    acceptedDataLoss: null,
    ...about,
  };
}
const BOOTSTRAP = change(1, 0, { holder: 'uk', previousHolder: null, cause: 'bootstrap' });

/** uk acknowledges 1–4 until it is lost; eu goes on at 60 s with data that are 20 s old, and acknowledges 5 and 6. */
function history(changes: Partial<WriteHistory> = {}): WriteHistory {
  return {
    writes: [
      write(1, 10),
      write(2, 30),
      write(3, 45),
      write(4, 50),
      write(5, 61, { site: 'eu', epoch: 2 }),
      write(6, 70, { site: 'eu', epoch: 2 }),
      write(7, 71, refused),
    ],
    lease: [BOOTSTRAP, change(2, 60, { dataAgeSeconds: 20 })],
    applied: [],
    seedIds: [900],
    stores: [
      { site: 'eu', ids: [900, 1, 2, 5, 6] },
      { site: 'uk', ids: [900, 1, 2, 5, 6, 7] },
    ],
    ...changes,
  };
}
const broken = (changes: Partial<WriteHistory>): [Rule, number | null][] =>
  checkHistory(history(changes)).violations.map(({ rule, pointId }) => [rule, pointId]);
const stores = (...ids: number[]): WriteHistory['stores'] => [{ site: 'eu', ids: [900, ...ids] }];

it('finds nothing in a failover that lost what it said it would, and nothing else', () => {
  expect(checkHistory(history())).toEqual({
    sent: 7,
    acknowledged: 6,
    documentedLosses: [3, 4],
    violations: [],
  });
});

describe('finds an acknowledgement', () => {
  it('by a site that did not hold the epoch that it named', () => {
    const writes = [...history().writes, write(8, 80, { site: 'uk', epoch: 2 })];
    expect(broken({ writes, stores: stores(1, 2, 5, 6, 8) })).toEqual([
      ['acknowledged without the lease', 8],
    ]);
  });
  it('under an epoch that nobody ever held', () => {
    const writes = [...history().writes, write(8, 80, { site: 'eu', epoch: 3 })];
    expect(broken({ writes, stores: stores(1, 2, 5, 6, 8) })).toEqual([
      ['acknowledged without the lease', 8],
    ]);
  });
  it('that names no epoch', () => {
    const writes = [...history().writes, write(8, 80, { site: 'eu', epoch: null })];
    expect(broken({ writes, stores: stores(1, 2, 5, 6, 8) })).toEqual([['acknowledged without an epoch', 8]]);
  });
  it('under a lower epoch, by a request begun after one under a higher epoch was acknowledged', () => {
    const writes = [...history().writes, write(8, 62)];
    expect(broken({ writes, stores: stores(1, 2, 5, 6, 8) })).toEqual([['epoch went back', 8]]);
  });
});

it('does not accuse an acknowledgement under a lower epoch whose request was begun before', () => {
  const writes = [...history().writes, write(8, 60.5, { end: T0 + 63_000 })];
  expect(broken({ writes, stores: stores(1, 2, 5, 6, 8) })).toEqual([]);
});

describe('finds a lost write', () => {
  it('that was older than the data which the failover says it went on with', () => {
    expect(broken({ stores: stores(1, 5, 6) })).toEqual([['lost', 2]]);
  });
  it('that no failover came after', () => {
    expect(broken({ stores: stores(1, 2, 6) })).toEqual([['lost', 5]]);
  });
  it('at one site only', () => {
    const [eu, uk] = history().stores;
    if (eu === undefined || uk === undefined) throw new Error('two stores');
    expect(broken({ stores: [eu, { ...uk, ids: [900, 1, 2, 5] }] })).toEqual([['lost', 6]]);
  });
  it('of a hand-over that was in order, even of its last second', () => {
    const lease = [BOOTSTRAP, change(2, 60, { cause: 'handover-planned', dataAgeSeconds: 0 })];
    expect(broken({ lease, stores: stores(1, 2, 3, 5, 6) })).toEqual([['lost', 4]]);
  });
  it('which the last publish held that a sick site was left with', () => {
    const lease = [BOOTSTRAP, change(2, 60, { cause: 'handover-sick', dataAgeSeconds: null })];
    const applied = [
      { site: 'eu', appliedAt: T0 + 48_000, begunAt: T0 + 47_000 },
      { site: 'eu', appliedAt: T0 + 99_000, begunAt: T0 + 20_000 },
    ];
    expect(broken({ lease, applied, stores: stores(1, 2, 5, 6) })).toEqual([['lost', 3]]);
  });
});

it('finds a point that nobody sent, and none in one whose write was answered with an error', () => {
  expect(broken({ stores: stores(1, 2, 5, 6, 7, 1234) })).toEqual([['never sent', 1234]]);
});

describe('finds a history of the lease', () => {
  it('with an epoch left out', () => {
    expect(broken({ lease: [BOOTSTRAP, change(3, 60, { dataAgeSeconds: 20 })] })).toContainEqual([
      'lease history',
      null,
    ]);
  });
  it('in which a site took the lease from one that did not hold it', () => {
    expect(
      broken({ lease: [BOOTSTRAP, change(2, 60, { previousHolder: 'eu', dataAgeSeconds: 20 })] }),
    ).toEqual([['lease history', null]]);
  });
  it('in which the epoch changed and the holder did not, and nobody accepted that', () => {
    const again = change(3, 65, { previousHolder: 'eu', dataAgeSeconds: 0 });
    const lease = [...history().lease, again];
    expect(broken({ lease })).toEqual([['lease history', null]]);
    const acceptedDataLoss = { by: 'somebody', reason: 'new disk' };
    expect(broken({ lease: [...history().lease, { ...again, acceptedDataLoss }] })).toEqual([]);
  });
});

it('reads from an event when the publish that was applied had been begun', () => {
  expect(publishBegunAt('0000000002-20260301T030047Z-ab12: 7 points, 9 bytes, verified')).toBe(T0 + 47_000);
  expect(publishBegunAt('something else')).toBeNull();
});

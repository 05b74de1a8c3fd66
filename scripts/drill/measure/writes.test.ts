import type { Attempt, DataCheck } from '../record';
import { doubleWrites, lossAt, missingAfterFailback, withoutEpoch } from './writes';

function ack(pointId: number, start: number, epoch: number | null, site = 'uk', ok = true): Attempt {
  return {
    client: `pinned-${site}`,
    seq: pointId,
    pointId,
    start,
    end: start + 100,
    ok,
    status: ok ? 200 : 503,
    site,
    epoch,
    address: null,
    error: ok ? null : 'refused',
  };
}
function check(at: number, ids: number[]): DataCheck {
  return { at, site: 'eu', ids, indexPresent: true, aliasPresent: true };
}
const HISTORY = [
  { epoch: 1, holder: 'uk' },
  { epoch: 2, holder: 'eu' },
];

describe('lost writes', () => {
  it('are acknowledged ones that the scroll does not find, in points and seconds before the fault', () => {
    const attempts = [ack(1, 1_000, 1), ack(2, 2_000, 1), ack(3, 3_000, 1), ack(4, 4_000, 1, 'uk', false)];
    const loss = lossAt(attempts, check(10_000, [1]), 5_000);
    expect(loss).toMatchObject({ points: 2, seconds: 2.9, acknowledged: 3 });
    expect(loss.lost.map((write) => write.pointId)).toEqual([2, 3]);
  });
  it('are none when only unacknowledged ones are missing', () => {
    expect(lossAt([ack(1, 1_000, 1, 'uk', false)], check(9_000, []), 5_000)).toMatchObject({
      points: 0,
      seconds: 0,
    });
  });
  it('reach to the newest lost acknowledgement when the old site went on after the fault', () => {
    expect(lossAt([ack(1, 4_900, 1), ack(2, 6_900, 1)], check(9_000, []), 5_000).seconds).toBe(2);
  });
  it('leave out acknowledgements that came while the scroll was under way', () => {
    expect(lossAt([ack(1, 9_950, 2, 'eu')], check(10_000, []), 5_000).points).toBe(0);
  });
});

describe('missing after the failback', () => {
  it('is what survived the failover or was acknowledged since, and is gone', () => {
    const attempts = [ack(1, 1_000, 1), ack(2, 2_000, 1), ack(3, 7_000, 2, 'eu'), ack(4, 8_000, 2, 'eu')];
    const after = check(6_000, [1, 100]);
    const lost = lossAt(attempts, after, 5_000).lost;
    expect(missingAfterFailback(attempts, after, check(20_000, [1, 3]), lost)).toEqual([4, 100]);
  });
  it('is nothing when only what the failover had lost is missing', () => {
    const attempts = [ack(1, 1_000, 1), ack(2, 2_000, 1)];
    const after = check(6_000, [1]);
    const lost = lossAt(attempts, after, 5_000).lost;
    expect(missingAfterFailback(attempts, after, check(20_000, [1]), lost)).toEqual([]);
  });
});

describe('double writes', () => {
  it('are none when each site acknowledges under its own epoch, one after the other', () => {
    expect(doubleWrites([ack(1, 1_000, 1), ack(2, 3_000, 2, 'eu'), ack(3, 4_000, 2, 'eu')], HISTORY)).toEqual(
      [],
    );
  });
  it('trap 26: finds a lower epoch that began after a higher one had been acknowledged', () => {
    const found = doubleWrites([ack(1, 1_000, 1), ack(2, 3_000, 2, 'eu'), ack(3, 3_200, 1, 'uk')], HISTORY);
    expect(found).toMatchObject([{ pointId: 3, epoch: 1, site: 'uk' }]);
  });
  it('does not accuse requests that merely overlap', () => {
    expect(doubleWrites([ack(2, 3_000, 2, 'eu'), ack(3, 3_050, 1, 'uk')], HISTORY)).toEqual([]);
  });
  it('finds a site that names an epoch which another one holds, even before the holder wrote', () => {
    expect(doubleWrites([ack(1, 1_000, 2, 'uk')], HISTORY)).toMatchObject([
      { because: 'epoch 2 is held by eu' },
    ]);
  });
  it('needs no history to find a lower epoch after a higher one', () => {
    expect(doubleWrites([ack(2, 3_000, 2, 'eu'), ack(3, 3_200, 1, 'uk')], [])).toHaveLength(1);
  });
  it('finds the one bad write among thousands', () => {
    const good = Array.from({ length: 3_000 }, (_, i) => ack(i, 1_000 + i * 10, 2, 'eu'));
    expect(doubleWrites([...good, ack(9_999, 25_000, 1, 'uk')], HISTORY)).toMatchObject([{ pointId: 9_999 }]);
  });
  it('counts acknowledgements that name no epoch, because nothing can be proved about them', () => {
    expect(withoutEpoch([ack(1, 1_000, null), ack(2, 2_000, 1), ack(3, 3_000, null, 'uk', false)])).toBe(1);
  });
});

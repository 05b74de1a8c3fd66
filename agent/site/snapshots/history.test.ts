import fc from 'fast-check';
import { publishTime, surplus } from './history';

const TIERS = { allHours: 2, hourlyHours: 24, dailyDays: 31 };
const MINUTE = 60_000;
const NEWEST = Date.parse('2026-03-31T12:34:00Z');

const idAt = (ms: number): string =>
  `0000000007-${new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '')}-00ab`;
const every = (minutes: number, days: number): string[] =>
  Array.from({ length: Math.floor((days * 24 * 60) / minutes) }, (_, i) =>
    idAt(NEWEST - i * minutes * MINUTE),
  );

function kept(ids: readonly string[]): string[] {
  const gone = new Set(surplus(ids, TIERS));
  return ids.filter((id) => !gone.has(id));
}

it('reads the time out of an id, and out of nothing else', () => {
  expect(publishTime('0000000001-20260102T030405Z-0001')).toBe(Date.parse('2026-01-02T03:04:05Z'));
  expect(publishTime('notes.txt')).toBeNull();
});

it('keeps all of two hours, then one an hour, then one a day, of sixty days at five minutes', () => {
  const left = kept(every(5, 60)).map((id) => publishTime(id) ?? 0);
  const ages = left.map((at) => (NEWEST - at) / MINUTE);
  expect(ages.filter((age) => age <= 120)).toHaveLength(25);
  expect(ages.filter((age) => age > 120 && age <= 24 * 60)).toHaveLength(22);
  expect(ages.filter((age) => age > 24 * 60)).toHaveLength(30);
  expect(Math.max(...ages)).toBeLessThanOrEqual(31 * 24 * 60);
});

it('comes to the same whether it prunes after every publish or once at the end', () => {
  const ids = every(20, 3).reverse();
  let stepwise: string[] = [];
  for (const id of ids) stepwise = kept([...stepwise, id]);
  expect([...stepwise].sort()).toEqual(kept(ids).sort());
});

it('never removes the newest or anything within the hours kept whole, whatever the times are', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 90 * 24 * 60 }), { minLength: 1 }), (minutes) => {
      const ids = [...new Set(minutes.map((m) => idAt(NEWEST - m * MINUTE)))];
      const newest = Math.max(...ids.map((id) => publishTime(id) ?? 0));
      for (const id of surplus(ids, TIERS))
        expect(newest - (publishTime(id) ?? 0)).toBeGreaterThan(120 * MINUTE);
    }),
  );
});

it('leaves alone what it cannot read, and has nothing to say of an empty listing', () => {
  expect(surplus(['notes.txt'], TIERS)).toEqual([]);
  expect(surplus([], TIERS)).toEqual([]);
});

/** A search that finds nothing proves something only if it finds what is wrong when a rule is missing. */
import { MUTANTS } from '../simulation/mutants';
import { keyOf } from './key';
import { search } from './search';
import { Steps } from './steps';
import { NO_MUTATION } from '../simulation/mutation';
import type { World } from './world';

const BUDGET = Number(process.env['SEARCH_BUDGET'] ?? 2);
const TICKS = Number(process.env['SEARCH_TICKS'] ?? 8);

it(`keeps to the lease's guarantees in every small world in which ${BUDGET} things go wrong`, () => {
  const { broken, trace, worlds, complete } = search({ budget: BUDGET, ticks: TICKS });
  console.info(`${worlds} different worlds, ${TICKS} steps`);
  expect({ broken: broken?.message, trace }).toEqual({ broken: undefined, trace: [] });
  expect(complete).toBe(true);
  expect(worlds).toBeGreaterThan(1000);
}, 600_000);

describe('notices, with one thing gone wrong, when', () => {
  const named = (name: string) => MUTANTS.find((mutant) => mutant.name === name);
  it.each([
    'the store ignores ETags',
    'a claim is made although a promise was given',
    'a fresh process takes the lease that it finds for run out',
    'a promise is given to the holder of an older epoch, or by a holder',
    'a restarted holder believes that it still holds',
    'a process forgets everything when it restarts',
  ])('%s', (name) => {
    expect(search({ budget: 1, ticks: 12 }, named(name)).broken).not.toBeNull();
  });
});

describe('the key of a small world', () => {
  const world = new Steps(NO_MUTATION).initial(1);
  const swapped = (from: World): World =>
    JSON.parse(
      JSON.stringify(from, (_field, value: unknown) =>
        value === Infinity ? '∞' : value === -Infinity ? '-∞' : value,
      ).replace(/site[ab]/g, (name) => (name === 'sitea' ? 'siteb' : 'sitea')),
      (_field, value: unknown) => (value === '∞' ? Infinity : value === '-∞' ? -Infinity : value),
    ) as World;

  it('is the same when the sites change places', () => {
    const one = { ...world, cut: ['sitea-store' as const], acknowledged: 3 };
    expect(JSON.stringify(swapped(one))).not.toBe(JSON.stringify(one));
    expect(keyOf(swapped(one))).toBe(keyOf(one));
  });

  it('differs where a cut, a store or a message does', () => {
    const { store } = world;
    for (const other of [
      { ...world, cut: ['sitea-store' as const] },
      { ...world, acknowledged: 1 },
      { ...world, store: { ...store, etag: 'x' } },
      { ...world, queue: world.queue.slice(1) },
    ])
      expect(keyOf(other)).not.toBe(keyOf(world));
  });
});

import { renderPublishes, renderRestoreTest } from './commands-data';

const LISTING = {
  id: '0000000002-20260102T030405Z-0001',
  site: 'uk-primary',
  epoch: 2,
  points: 100_000,
  bytes: 75_000_000,
  at: '2026-01-02T03:04:05.000Z',
  latest: true,
};

it('lists publishes with what tells them apart', () => {
  const lines = renderPublishes([LISTING, { ...LISTING, latest: false }]).split('\n');
  expect(lines[1]).toMatch(
    /^2026-01-02T03:04:05\.000Z +0000000002-\S+ +uk-primary +2 +100000 +75\.0 +latest$/,
  );
  expect(lines[2]).not.toContain('latest');
});

it('does not pass an empty store off as a good one', () => {
  expect(renderPublishes([])).toBe('The store has no publish yet.');
});

it('says of a restore test what came back, and of a failed one what did not', () => {
  const tested = {
    ...{ publishId: 'p7', collection: 'docs', points: 100, bytes: 2_500_000, seconds: 3 },
    details: ['logs is not tested here'],
  };
  expect(renderRestoreTest('eu', { ...tested, result: 'passed' })).toBe(
    'eu brought docs of p7 back from the store: 100 points, 2.5 MB, in 3.0 s, all as published.\n  logs is not tested here\n',
  );
  expect(renderRestoreTest('eu', { ...tested, result: 'failed', details: ['PART_CORRUPT'] })).toBe(
    'eu could not bring docs of p7 back from the store:\n  PART_CORRUPT\n',
  );
});

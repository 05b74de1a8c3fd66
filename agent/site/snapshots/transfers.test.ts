import { Transfers, size } from './transfers';

let nowMs: number;
let lines: string[];
let transfers: Transfers;
beforeEach(() => {
  nowMs = 0;
  lines = [];
  transfers = new Transfers({ monotonicMs: () => nowMs }, (line) => lines.push(line));
});

it('adds up bytes and seconds by direction', async () => {
  for (const bytes of [1_000, 500]) {
    await transfers.measure('publish', async () => {
      nowMs += 2_000;
      return { result: 'x', bytes };
    });
  }
  expect(transfers.total('publish')).toEqual({ bytes: 1_500, seconds: 4 });
  expect(transfers.total('apply')).toEqual({ bytes: 0, seconds: 0 });
});

it('tells how far a long one is, every ten seconds and not more often', async () => {
  await transfers.measure('apply', async (progress) => {
    for (let second = 1; second <= 25; second += 1) {
      nowMs = second * 1_000;
      progress(second * 4, 100);
    }
    return { result: null, bytes: 2_345_678 };
  });
  expect(lines).toEqual([
    'apply: 40 % of 100 B after 10 s',
    'apply: 80 % of 100 B after 20 s',
    'apply: moved 2.3 MB in 25.0 s',
  ]);
});

it('counts nothing of a transfer that failed', async () => {
  const failing = transfers.measure('apply', () => Promise.reject(new Error('cut')));
  await expect(failing).rejects.toThrow('cut');
  expect(transfers.total('apply')).toEqual({ bytes: 0, seconds: 0 });
});

it('writes sizes as links are sold', () => {
  expect([size(0), size(999), size(1_500), size(2.5e9), size(3e15)]).toEqual([
    '0 B',
    '999 B',
    '1.5 kB',
    '2.5 GB',
    '3000.0 TB',
  ]);
});

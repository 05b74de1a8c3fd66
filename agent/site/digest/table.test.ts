import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { scratchFolder } from '../testing/scratch';
import { BucketSums, bucketOf } from './bucket-sums';
import type { IdKey, PointHash } from './point-hash';
import type { Change } from './segment';
import { HashTable, PUBLISHES_KEPT, type Update } from './table';

let folder: string;
beforeEach(() => (folder = join(mkdtempSync(join(scratchFolder(), 'table-')), 'docs')));
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

type Points = Map<IdKey, PointHash>;

function update(whole: boolean, changes: ReadonlyMap<IdKey, Change>): Update {
  return {
    whole,
    bucket: (bucket) => Promise.resolve(new Map([...changes].filter(([key]) => bucketOf(key) === bucket))),
  };
}

const hash = (text: string): PointHash => ({ payload: text, vectors: `v${text}` });
const publishId = (number: number): string =>
  `0000000001-20260101T000000Z-${String(number).padStart(4, '0')}`;

function sumsOf(points: Points): ReturnType<BucketSums['encode']> {
  const sums = BucketSums.empty();
  for (const [key, value] of points) sums.add(key, value);
  return sums.encode();
}

async function contents(table: HashTable, at: string): Promise<Points> {
  const points: Points = new Map();
  const header = table.at(at);
  for (let bucket = 0; bucket < 256; bucket += 1) {
    for (const [key, value] of await table.bucket(bucket, header)) points.set(key, value);
  }
  return points;
}

const byKey = (points: Points) => [...points].sort(([a], [b]) => (a < b ? -1 : 1));

describe('the table of hashes', () => {
  it('knows what there was at each publish, and its digest, however the changes came', async () => {
    const change = fc.record({
      key: fc.nat(30).map(String),
      text: fc.option(fc.constantFrom('a', 'b', 'c')),
    });
    const round = fc.record({ whole: fc.boolean(), changes: fc.array(change, { maxLength: 20 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 6 }), async (rounds) => {
        rmSync(folder, { recursive: true, force: true });
        let table = await HashTable.open(folder);
        const points: Points = new Map();
        const history: Points[] = [];
        for (const [at, { whole, changes }] of rounds.entries()) {
          const news = new Map<IdKey, Change>();
          for (const { key, text } of changes) news.set(key, text === null ? null : hash(text));
          for (const [key, value] of news) {
            if (value === null) points.delete(key);
            else points.set(key, value);
          }
          const sums = await table.advance(
            publishId(at),
            whole || at === 0 ? update(true, points) : update(false, news),
          );
          expect(sums.encode()).toEqual(sumsOf(points));
          history.push(new Map(points));
          // As a new process would find it.
          table = await HashTable.open(folder);
        }
        for (const [at, then] of history.entries()) {
          expect(byKey(await contents(table, publishId(at)))).toEqual(byKey(then));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('keeps a bounded number of publishes, and forgets none of the last ones', async () => {
    let table = await HashTable.open(folder);
    const points: Points = new Map();
    const total = 4 * PUBLISHES_KEPT;
    for (let at = 0; at < total; at += 1) {
      points.set(String(at), hash('a'));
      points.delete(String(at - 3));
      const changes = new Map<IdKey, Change>([
        [String(at), hash('a')],
        [String(at - 3), null],
      ]);
      const sums = await table.advance(
        publishId(at),
        at === 0 ? update(true, points) : update(false, changes),
      );
      expect(sums.encode()).toEqual(sumsOf(points));
    }
    expect(readdirSync(folder).length).toBeLessThanOrEqual(4 * PUBLISHES_KEPT);
    table = await HashTable.open(folder);
    for (let back = 0; back < PUBLISHES_KEPT; back += 1) {
      const at = total - 1 - back;
      const keys = [...(await contents(table, publishId(at))).keys()].map(Number).sort((a, b) => a - b);
      expect(keys).toEqual([at - 2, at - 1, at]);
    }
    expect(table.at(publishId(0))).toBeNull();
  });

  it('answers the newest publish before one that it does not have', async () => {
    const table = await HashTable.open(folder);
    await table.advance(publishId(1), update(true, new Map([['1', hash('a')]])));
    await table.advance(publishId(3), update(false, new Map([['1', hash('b')]])));
    expect(table.at(publishId(2))?.publishId).toBe(publishId(1));
    expect(table.at(publishId(9))?.publishId).toBe(publishId(3));
    expect(table.at(publishId(0))).toBeNull();
  });

  describe('when its files are not what was written', () => {
    const file = (ending: string): string =>
      join(folder, readdirSync(folder).find((name) => name.endsWith(ending)) ?? '');
    beforeEach(async () => {
      const table = await HashTable.open(folder);
      await table.advance(
        publishId(1),
        update(
          true,
          new Map([
            ['1', hash('a')],
            ['2', hash('b')],
          ]),
        ),
      );
    });

    it('is empty after a header was torn', async () => {
      truncateSync(file('.json'), 100);
      expect((await HashTable.open(folder)).isEmpty).toBe(true);
    });

    it('is empty when its beginning is gone', async () => {
      const table = await HashTable.open(folder);
      await table.advance(publishId(2), update(false, new Map([['1', hash('c')]])));
      rmSync(join(folder, `${publishId(1)}.json`));
      expect((await HashTable.open(folder)).isEmpty).toBe(true);
    });

    it.each([
      ['torn', (path: string) => truncateSync(path, 5)],
      ['gone', (path: string) => rmSync(path)],
      ['changed', (path: string) => writeFileSync(path, readFileSync(path, 'utf8').replaceAll('a', 'z'))],
    ])('refuses a bucket whose lines are %s', async (_how, damage) => {
      damage(file('.full'));
      const table = await HashTable.open(folder);
      const changes = update(false, new Map([['1', hash('c')]]));
      await expect(table.advance(publishId(2), changes)).rejects.toMatchObject({ code: 'DIGEST_TABLE_TORN' });
    });

    it('ignores lines whose header was never written', async () => {
      const table = await HashTable.open(folder);
      const failing: Update = { whole: false, bucket: () => Promise.reject(new Error('killed')) };
      await expect(table.advance(publishId(2), failing)).rejects.toThrow('killed');
      writeFileSync(join(folder, `${publishId(3)}.delta`), '1\tz\tz\n');
      const again = await HashTable.open(folder);
      expect(again.newest?.publishId).toBe(publishId(1));
    });
  });
});

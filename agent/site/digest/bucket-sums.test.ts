import fc from 'fast-check';
import { BUCKETS, BucketSums, bucketOf } from './bucket-sums';

const entry = fc.record({
  key: fc.oneof(
    fc.nat().map(String),
    fc.uuid().map((id) => JSON.stringify(id)),
  ),
  payload: fc.stringMatching(/^[0-9a-f]{4,8}$/),
  vectors: fc.stringMatching(/^[0-9a-f]{4,8}$/),
});
const entries = fc.uniqueArray(entry, { selector: ({ key }) => key, maxLength: 60 });

function sumOf(list: readonly { key: string; payload: string; vectors: string }[]): BucketSums {
  const sums = BucketSums.empty();
  for (const { key, ...hash } of list) sums.add(key, hash);
  return sums;
}

describe('bucket sums', () => {
  it('are the same in whatever order points come', () => {
    fc.assert(
      fc.property(entries, (list) => {
        expect(sumOf([...list].reverse()).encode()).toEqual(sumOf(list).encode());
      }),
    );
  });

  it('follow a change as if all had been read anew', () => {
    fc.assert(
      fc.property(entries, entries, (before, after) => {
        const sums = sumOf(before);
        for (const { key, ...hash } of before) sums.remove(key, hash);
        for (const { key, ...hash } of after) sums.add(key, hash);
        expect(sums.encode()).toEqual(sumOf(after).encode());
      }),
    );
  });

  it('name the bucket of the one point that differs, and survive being written down', () => {
    fc.assert(
      fc.property(entries, entry, (list, other) => {
        fc.pre(!list.some(({ key }) => key === other.key));
        const read = BucketSums.decode(sumOf([...list, other]).encode());
        expect(read.differing(sumOf(list))).toEqual([bucketOf(other.key)]);
        expect(read.points).toBe(list.length + 1);
      }),
    );
  });

  it('tell points with exchanged payloads apart', () => {
    const here = sumOf([
      { key: '1', payload: 'a', vectors: 'v' },
      { key: '2', payload: 'b', vectors: 'v' },
    ]);
    const there = sumOf([
      { key: '1', payload: 'b', vectors: 'v' },
      { key: '2', payload: 'a', vectors: 'v' },
    ]);
    expect(here.differing(there)).not.toEqual([]);
  });

  it('spread ids that follow each other over all buckets', () => {
    const used = new Set(Array.from({ length: 4000 }, (_, id) => bucketOf(String(id))));
    expect(used.size).toBe(BUCKETS);
  });

  it('refuse a text of another length', () => {
    expect(() => BucketSums.decode({ points: 0, sums: 'AAAA' })).toThrow(RangeError);
  });
});

import type { QdrantPoint } from '../../qdrant/types';
import { contentOf, WriteRecord, type Observed } from './write-record';

const point = (id: number, version: number): QdrantPoint => ({ id, ...contentOf(id, version) });
const docs = (...points: QdrantPoint[]): Observed => new Map([['docs', points]]);

function record(): { record: WriteRecord; put: (id: number, version: number | null) => () => void } {
  const made = new WriteRecord();
  made.create('docs');
  return { record: made, put: (id, version) => made.attempt([{ collection: 'docs', id, version }]) };
}

describe('the record of writes', () => {
  it('finds nothing missing when everything acknowledged is there as it was written', () => {
    const { record: written, put } = record();
    put(1, 0)();
    put(2, 0)();
    expect(written.compare(docs(point(1, 0), point(2, 0)), written.mark())).toEqual({
      lost: [],
      foreign: [],
    });
  });

  it('tells a lost point, a lost update and a lost deletion', () => {
    const { record: written, put } = record();
    put(1, 0)();
    put(2, 0)();
    put(2, 1)();
    put(3, 0)();
    put(3, null)();
    const { lost } = written.compare(docs(point(2, 0), point(3, 0)), written.mark());
    expect(lost).toEqual(['docs/1', 'docs/2', 'docs/3']);
  });

  it('asks of a publish only what was acknowledged before its mark', () => {
    const { record: written, put } = record();
    put(1, 0)();
    const mark = written.mark();
    put(2, 0)();
    put(1, 1)();
    expect(written.compare(docs(point(1, 0)), mark).lost).toEqual([]);
    expect(written.compare(docs(point(1, 1), point(2, 0)), mark).lost).toEqual([]);
    expect(written.compare(docs(point(1, 0)), written.mark()).lost).toEqual(['docs/1', 'docs/2']);
  });

  it('allows a write that nobody acknowledged either way', () => {
    const { record: written, put } = record();
    put(1, 0)();
    put(1, 1);
    put(2, 0);
    expect(written.compare(docs(point(1, 0)), written.mark())).toEqual({ lost: [], foreign: [] });
    expect(written.compare(docs(point(1, 1), point(2, 0)), written.mark())).toEqual({
      lost: [],
      foreign: [],
    });
  });

  it('tells content that was never written, and collections that nobody made', () => {
    const { record: written, put } = record();
    put(1, 0)();
    const garbled = { ...point(1, 0), vector: [0, 0, 0, 0] };
    const observed = new Map([...docs(garbled, point(9, 0)), ['other', []]]);
    expect(written.compare(observed, written.mark()).foreign).toEqual(['docs/1', 'docs/9', 'other/*']);
  });

  it('counts every point of a collection that is gone as lost', () => {
    const { record: written, put } = record();
    put(1, 0)();
    expect(written.compare(new Map(), written.mark()).lost).toEqual(['docs/1']);
  });

  it('begins anew from what the new holder has after a failover', () => {
    const { record: written, put } = record();
    put(1, 0)();
    put(2, 0)();
    written.rebase(docs(point(1, 0)));
    expect(written.compare(docs(point(1, 0)), written.mark())).toEqual({ lost: [], foreign: [] });
    expect(written.compare(docs(), written.mark()).lost).toEqual(['docs/1']);
  });
});

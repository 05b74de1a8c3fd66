import { judge, type StoreFaults, type StoreRequest, type Version } from './verdict';

const version = (at: number, etag: string): Version => ({ at, etag, body: Buffer.from(etag) });
const VERSIONS = [version(1_000, 'one'), version(5_000, 'two'), version(9_000, 'three')];

const get: StoreRequest = {
  method: 'GET',
  path: '/lease/lease.json',
  ifMatch: null,
  number: 1,
  leaseWrite: 0,
};
const put: StoreRequest = { ...get, method: 'PUT', ifMatch: 'three', leaseWrite: 1 };
const verdict = (faults: StoreFaults, request: StoreRequest, now = 10_000) =>
  judge(faults, request, VERSIONS, now);

it('passes everything on when nothing is wrong, and when it is only slow', () => {
  expect(verdict({}, get)).toEqual({ kind: 'pass' });
  expect(verdict({ slowSeconds: 2 }, put)).toEqual({ kind: 'pass' });
});

it('answers errors in turn, and carries out every second write all the same', () => {
  const faults = { errors: true };
  expect(verdict(faults, put)).toEqual({ kind: 'error', status: 500, carriedOut: true });
  expect(verdict(faults, { ...put, number: 2 })).toEqual({ kind: 'error', status: 503, carriedOut: false });
  expect(verdict(faults, get)).toMatchObject({ kind: 'error', carriedOut: false });
});

it('shows a reader what the object was so long ago, its first known state before that, and judges writes by now', () => {
  const shown = (staleSeconds: number) => {
    const answer = verdict({ staleSeconds }, get);
    return answer.kind === 'stale' ? answer.version.etag : answer.kind;
  };
  expect([shown(0.5), shown(2), shown(6), shown(60)]).toEqual(['three', 'two', 'one', 'one']);
  expect(verdict({ staleSeconds: 60 }, put)).toEqual({ kind: 'pass' });
  expect(judge({ staleSeconds: 60 }, get, [], 10_000)).toEqual({ kind: 'pass' });
});

it('loses one write of the lease in so many, and only one that the store would have accepted', () => {
  const kinds = [1, 2, 3, 4].map((leaseWrite) => verdict({ losesOneOf: 2 }, { ...put, leaseWrite }).kind);
  expect(kinds).toEqual(['pass', 'lose', 'pass', 'lose']);
  expect(verdict({ losesOneOf: 1 }, { ...put, ifMatch: 'two' })).toEqual({ kind: 'pass' });
  expect(verdict({ losesOneOf: 1 }, { ...put, path: '/lease/history/1.json' })).toEqual({ kind: 'pass' });
});

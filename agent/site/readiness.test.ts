import { mayServeInference, mayServeVectors, type EdgeFacts } from './edge-verdicts';
import { notPromotableReasons, notReadyReasons, type PromotableFacts } from './readiness';

const WELL = { health: 'healthy', detail: 'fine' } as const;
const PARITY = { configHash: 'c', modelSha256: 'm', qdrantVersion: '1.18.3' };
const PROMOTABLE: PromotableFacts = {
  site: 'eu',
  state: 'standby',
  witness: 'healthy',
  canary: { inference: WELL, vectors: WELL, edge: WELL },
  parity: PARITY,
  peerParity: PARITY,
  runningQdrant: '1.18.3',
  applied: { id: 'p' },
  applying: null,
  differences: [],
  touching: false,
  dataAgeSeconds: 100,
  rpoSeconds: 3600,
};
const reasons = (change: Partial<PromotableFacts>) =>
  notPromotableReasons({ ...PROMOTABLE, ...change }).map((reason) => reason.code);

describe('readiness', () => {
  const facts = {
    site: 'uk',
    writable: true,
    holder: 'uk',
    canary: { inference: WELL, vectors: WELL, edge: WELL },
  };
  const codes = (change: Partial<typeof facts> | { canary: object }) =>
    notReadyReasons({ ...facts, ...change } as typeof facts).map((reason) => reason.code);

  it('needs the lease and both canaries', () => {
    expect(codes({})).toEqual([]);
    expect(codes({ writable: false })).toEqual(['NOT_WRITABLE']);
    expect(codes({ writable: false, holder: 'eu' })).toEqual(['NOT_HOLDER']);
  });

  it('trap 25: is neither with a failing canary nor with one of unknown health', () => {
    const inference = { health: 'unknown', detail: 'old' };
    const vectors = { health: 'failing', detail: 'Dirty shard' };
    expect(codes({ canary: { inference, vectors, edge: WELL } })).toEqual([
      'INFERENCE_UNKNOWN',
      'VECTORS_FAILING',
    ]);
  });
});

describe('promotable while the weights change over', () => {
  const next = { ...PARITY, modelSha256: 'n', replacesModelSha256: 'm' };

  it('is so on the site that is ahead, and on the one behind, by the word of the newer configuration', () => {
    expect(reasons({ parity: next })).toEqual([]);
    expect(reasons({ peerParity: next })).toEqual([]);
    expect(reasons({ parity: next, peerParity: next })).toEqual([]);
  });

  it('is not so with weights that nobody said would follow these', () => {
    const other = { ...PARITY, modelSha256: 'x' };
    expect(reasons({ parity: next, peerParity: other })).toEqual(['MODEL_MISMATCH']);
    expect(reasons({ parity: other, peerParity: next })).toEqual(['MODEL_MISMATCH']);
  });

  it('excuses no other difference', () => {
    expect(reasons({ parity: { ...next, configHash: 'd' } })).toEqual(['CONFIG_MISMATCH']);
    expect(reasons({ peerParity: { ...next, qdrantVersion: '1.18.4' } })).toEqual(['QDRANT_MISMATCH']);
  });
});

describe('promotable', () => {
  it('is so when nothing speaks against it', () => {
    expect(reasons({})).toEqual([]);
  });

  it.each<[string, Partial<PromotableFacts>, string]>([
    ['trap 22: it is fenced', { state: 'fenced' }, 'FENCED'],
    ['it is being re-protected', { state: 're-protecting' }, 'REPROTECTING'],
    ['it sees neither lease nor peer', { state: 'unknown' }, 'STATE_UNKNOWN'],
    ['it holds the lease already', { state: 'active' }, 'ALREADY_HOLDER'],
    ['trap 26: the witness does not answer', { witness: 'failing' }, 'WITNESS_UNREACHABLE'],
    ['the witness was never reached', { witness: 'unknown' }, 'WITNESS_UNREACHABLE'],
    ['trap 31: nothing was restored and verified', { applied: null }, 'NO_VERIFIED_RESTORE'],
    ['a restore was cut short', { applying: { id: 'q' } }, 'RESTORE_UNVERIFIED'],
    ['a restore is under way', { applying: { id: 'q' }, touching: true }, 'APPLYING'],
    ['trap 28: the data is older than the RPO', { dataAgeSeconds: 3601 }, 'DATA_TOO_OLD'],
    ['the age of the data is unknown', { dataAgeSeconds: null }, 'DATA_AGE_UNKNOWN'],
    ['the peer’s parity was never seen', { peerParity: null }, 'PEER_PARITY_UNKNOWN'],
    ['the configuration differs', { peerParity: { ...PARITY, configHash: 'd' } }, 'CONFIG_MISMATCH'],
    ['the model differs', { peerParity: { ...PARITY, modelSha256: 'n' } }, 'MODEL_MISMATCH'],
    ['trap 14: Qdrant differs', { peerParity: { ...PARITY, qdrantVersion: '1.18.2' } }, 'QDRANT_MISMATCH'],
    ['another Qdrant runs than is configured', { runningQdrant: '1.17.0' }, 'QDRANT_NOT_AS_CONFIGURED'],
    [
      'its own engine fails',
      { canary: { inference: { health: 'failing', detail: 'x' }, vectors: WELL, edge: WELL } },
      'INFERENCE_FAILING',
    ],
    [
      'its own Qdrant is of unknown health',
      { canary: { inference: WELL, vectors: { health: 'unknown', detail: 'x' }, edge: WELL } },
      'VECTORS_UNKNOWN',
    ],
  ])('is not so when %s', (_when, change, expected) => {
    expect(reasons(change)).toEqual([expected]);
  });

  it('tells every reason at once', () => {
    const all = reasons({
      state: 'fenced',
      witness: 'failing',
      applied: null,
      peerParity: null,
      runningQdrant: '1.0.0',
      canary: {
        inference: { health: 'failing', detail: '' },
        vectors: { health: 'failing', detail: '' },
        edge: WELL,
      },
    });
    expect(all).toEqual([
      'FENCED',
      'WITNESS_UNREACHABLE',
      'NO_VERIFIED_RESTORE',
      'PEER_PARITY_UNKNOWN',
      'QDRANT_NOT_AS_CONFIGURED',
      'INFERENCE_FAILING',
      'VECTORS_FAILING',
    ]);
  });
});

describe('what the edge may serve here', () => {
  const holder: EdgeFacts = {
    state: 'active',
    holds: true,
    inference: 'healthy',
    vectors: 'healthy',
    peer: 'healthy',
  };
  const standby: EdgeFacts = { ...holder, state: 'standby', holds: false };

  it.each<[string, EdgeFacts, boolean, boolean]>([
    ['the holder', holder, true, true],
    [
      'a holder whose probes have not ended yet',
      { ...holder, inference: 'unknown', vectors: 'unknown' },
      true,
      true,
    ],
    ['a holder with a hung engine', { ...holder, inference: 'failing' }, false, true],
    ['a holder with a dirty shard', { ...holder, vectors: 'failing' }, true, false],
    ['a standby', standby, false, false],
    ['a standby whose peer is gone', { ...standby, peer: 'failing' }, true, false],
    [
      'trap 22: a fenced site, even with the peer gone',
      { ...standby, state: 'fenced', peer: 'failing' },
      false,
      false,
    ],
  ])('%s', (_who, facts, inference, vectors) => {
    expect(mayServeInference(facts).serve).toBe(inference);
    expect(mayServeVectors(facts).serve).toBe(vectors);
  });
});

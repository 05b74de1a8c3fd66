/** What any lease store must do; the safety argument in docs/lease.md rests on just this. */
import type { Lease, LeaseHistoryEntry } from '../../../infra/contract/agent-api';
import { LeaseCorruptError } from '../errors';
import { ABSENT, type LeaseStore } from '../ports';

export interface StoreUnderTest {
  readonly store: LeaseStore;
  /** Puts any text where the lease is, past the store's own rules; null removes it. */
  put(body: string | null): Promise<void>;
}

export function aLease(change: Partial<Lease> = {}): Lease {
  return {
    version: 1,
    epoch: 1,
    holder: 'uk-primary',
    nonce: `uk-primary/test/${Math.random()}`,
    ttlSeconds: 30,
    writtenAt: '2025-01-01T00:00:00.000Z',
    ...change,
  };
}

export function anEntry(change: Partial<LeaseHistoryEntry> = {}): LeaseHistoryEntry {
  return {
    epoch: 1,
    holder: 'uk-primary',
    previousHolder: null,
    at: '2025-01-01T00:00:00.000Z',
    cause: 'bootstrap',
    by: 'agent of uk-primary',
    reason: 'first lease of all',
    dataAgeSeconds: null,
    acceptedDataLoss: null,
    ...change,
  };
}

export function leaseStoreContract(make: () => Promise<StoreUnderTest>): void {
  let subject: StoreUnderTest;
  let store: LeaseStore;

  beforeEach(async () => {
    subject = await make();
    store = subject.store;
  });

  async function written(lease: Lease, ifMatch: string): Promise<string> {
    const result = await store.write(lease, ifMatch);
    if (result === 'conflict') throw new Error('expected the write to succeed, there was a conflict');
    return result.etag;
  }

  it('says absent when there is no lease', async () => {
    expect(await store.read()).toBe('absent');
  });

  it('shows a lease at once when it has been written, with the same ETag', async () => {
    const lease = aLease();
    const etag = await written(lease, ABSENT);
    expect(await store.read()).toEqual({ lease, etag });
  });

  it('refuses a first lease when there is one already', async () => {
    const first = aLease();
    await written(first, ABSENT);
    expect(await store.write(aLease(), ABSENT)).toBe('conflict');
    expect(await store.read()).toMatchObject({ lease: first });
  });

  it('replaces a lease when the ETag is the current one, and gives a new ETag', async () => {
    const before = await written(aLease(), ABSENT);
    const next = aLease({ epoch: 2, holder: 'eu-standby' });
    const after = await written(next, before);
    expect(after).not.toBe(before);
    expect(await store.read()).toEqual({ lease: next, etag: after });
  });

  it('refuses a late write when the lease has changed since its ETag was read', async () => {
    const before = await written(aLease(), ABSENT);
    const next = aLease();
    await written(next, before);
    expect(await store.write(aLease({ epoch: 2, holder: 'eu-standby' }), before)).toBe('conflict');
    expect(await store.read()).toMatchObject({ lease: next });
  });

  it('refuses an update when the lease is gone', async () => {
    const etag = await written(aLease(), ABSENT);
    await subject.put(null);
    expect(await store.write(aLease(), etag)).toBe('conflict');
    expect(await store.read()).toBe('absent');
  });

  it('lets exactly one of eight racing writers win', async () => {
    let etag = await written(aLease(), ABSENT);
    for (let round = 0; round < 20; round += 1) {
      const writers = Array.from({ length: 8 }, (_, i) => aLease({ epoch: round + 2, holder: `site-${i}` }));
      const results = await Promise.all(writers.map((lease) => store.write(lease, etag)));
      const winners = writers.filter((_, i) => results[i] !== 'conflict');
      expect(winners).toHaveLength(1);
      const shown = await store.read();
      expect(shown).toMatchObject({ lease: winners[0] });
      if (shown !== 'absent') etag = shown.etag;
    }
  });

  it.each([
    ['is not JSON', 'not a lease'],
    ['is empty', ''],
    ['lacks its epoch', JSON.stringify({ ...aLease(), epoch: undefined })],
    ['is of another version', JSON.stringify({ ...aLease(), version: 2 })],
  ])('reports a corrupt lease when the object %s', async (_what, body) => {
    await subject.put(body);
    await expect(store.read()).rejects.toBeInstanceOf(LeaseCorruptError);
  });

  it('keeps the first entry of an epoch when one is written again', async () => {
    await store.appendHistory(anEntry({ epoch: 2, reason: 'first' }));
    await store.appendHistory(anEntry({ epoch: 2, reason: 'again' }));
    expect(await store.history()).toEqual([anEntry({ epoch: 2, reason: 'first' })]);
  });

  it('lists the history in order of epochs', async () => {
    for (const epoch of [10, 2, 1]) await store.appendHistory(anEntry({ epoch }));
    expect((await store.history()).map((entry) => entry.epoch)).toEqual([1, 2, 10]);
  });
}

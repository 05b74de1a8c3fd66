import { named, record } from '../testing/recording';
import { R2ObjectStore, type R2ObjectStoreArgs, r2Endpoint } from './object-store';

const ARGS: R2ObjectStoreArgs = {
  accountId: 'abc',
  leaseBucket: 'acme-lease',
  snapshotBucket: 'acme-snapshots',
};
const declare = (more: Partial<R2ObjectStoreArgs> = {}) =>
  record(() => new R2ObjectStore('store', { ...ARGS, ...more }, { protect: true }));

describe('R2ObjectStore', () => {
  it('has a bucket for the lease and one for the publishes, protected', async () => {
    const { resources, result } = await declare();
    expect(named(resources, 'store-lease')).toMatchObject({ parent: 'store', protect: true });
    expect(named(resources, 'store-lease').inputs).toEqual({
      accountId: 'abc',
      name: 'acme-lease',
      storageClass: 'Standard',
    });
    expect(named(resources, 'store-snapshots').inputs).toMatchObject({ name: 'acme-snapshots' });
    expect(result.endpoint).toBe('https://abc.r2.cloudflarestorage.com');
  });

  it('keeps objects in the EU when that is promised, at an address of its own', async () => {
    const { resources, result } = await declare({ place: { jurisdiction: 'eu' } });
    expect(named(resources, 'store-lease').inputs).toMatchObject({ jurisdiction: 'eu' });
    expect(result.endpoint).toBe('https://abc.eu.r2.cloudflarestorage.com');
  });

  it('passes a wish for a place on', async () => {
    const { resources } = await declare({ place: { location: 'weur' } });
    expect(named(resources, 'store-snapshots').inputs).toMatchObject({ location: 'weur' });
    expect(r2Endpoint('abc', { location: 'weur' })).toBe('https://abc.r2.cloudflarestorage.com');
  });
});

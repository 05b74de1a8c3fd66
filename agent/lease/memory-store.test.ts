import { MemoryLeaseStore } from './memory-store';
import { leaseStoreContract } from './testing/lease-store.contract';

describe('a lease store in memory', () => {
  leaseStoreContract(() => {
    const store = new MemoryLeaseStore();
    return Promise.resolve({
      store,
      put: (body: string | null) => {
        store.put(body);
        return Promise.resolve();
      },
    });
  });
});

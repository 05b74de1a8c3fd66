import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LeaseCorruptError, StoreUnreachableError } from './errors';
import { S3LeaseStore } from './s3-store';
import { aLease, leaseStoreContract } from './testing/lease-store.contract';
import { CREDENTIALS, findVersitygw, Versitygw } from './testing/versitygw';

const executable = findVersitygw();
const stores: S3LeaseStore[] = [];

function storeAt(endpoint: string, bucket = 'lease', requestTimeoutMs = 5000): S3LeaseStore {
  const store = new S3LeaseStore({
    endpoint,
    region: 'us-east-1',
    bucket,
    account: CREDENTIALS,
    requestTimeoutMs,
  });
  stores.push(store);
  return store;
}

afterEach(() => {
  for (const store of stores.splice(0)) store.close();
});

const real =
  executable === undefined
    ? ([describe.skip, 'versitygw (skipped: no executable; set VERSITYGW_BIN or build it)'] as const)
    : ([describe, 'versitygw'] as const);

real[0](`a lease store in ${real[1]}`, () => {
  let server: Versitygw;
  let buckets = 0;

  beforeAll(async () => {
    server = await Versitygw.start(executable ?? '');
  });
  afterAll(() => server.stop());

  leaseStoreContract(async () => {
    const bucket = `lease-${(buckets += 1)}`;
    await server.makeBucket(bucket);
    return {
      store: storeAt(server.endpoint, bucket),
      put: (body: string | null) => server.put(bucket, 'lease.json', body),
    };
  });

  it('reports a corrupt lease when a whole lease was copied into the store behind its back', async () => {
    await server.makeBucket('lease-behind');
    await server.putBehind('lease-behind', 'lease.json', JSON.stringify(aLease()));
    await expect(storeAt(server.endpoint, 'lease-behind').read()).rejects.toBeInstanceOf(LeaseCorruptError);
  });

  it('takes a missing bucket for a store that cannot be used, not for a lease that is absent', async () => {
    await expect(storeAt(server.endpoint, 'nowhere').read()).rejects.toBeInstanceOf(StoreUnreachableError);
    await expect(storeAt(server.endpoint, 'nowhere').write(aLease(), '"etag"')).rejects.toBeInstanceOf(
      StoreUnreachableError,
    );
  });

  it('takes a wrong key for a store that cannot be used', async () => {
    const wrong = new S3LeaseStore({
      endpoint: server.endpoint,
      region: 'us-east-1',
      bucket: 'lease-1',
      account: { accessKey: CREDENTIALS.accessKey, secretKey: 'wrong' },
      requestTimeoutMs: 5000,
    });
    stores.push(wrong);
    await expect(wrong.read()).rejects.toBeInstanceOf(StoreUnreachableError);
  });
});

describe('a lease store behind a bad network', () => {
  let server: Server | null = null;
  let requests = 0;

  async function serving(listener: RequestListener): Promise<string> {
    requests = 0;
    const created = createServer((request, response) => {
      requests += 1;
      listener(request, response);
    });
    server = created;
    await new Promise<void>((resolve) => created.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(created.address() as AddressInfo).port}`;
  }

  afterEach(async () => {
    const closing = server;
    server = null;
    if (closing === null) return;
    closing.closeAllConnections();
    await new Promise((resolve) => closing.close(resolve));
  });

  const answering = (status: number, body = ''): Promise<string> =>
    serving((request, response) => {
      request.resume();
      response.writeHead(status, { etag: '"1"' }).end(body);
    });

  it.each([409, 412])('answers conflict when the store says %d', async (status) => {
    expect(await storeAt(await answering(status)).write(aLease(), '"1"')).toBe('conflict');
  });

  it.each([500, 503, 403])(
    'says that the outcome is unknown when the store says %d, and does not send again',
    async (status) => {
      const store = storeAt(await answering(status));
      await expect(store.write(aLease(), '"1"')).rejects.toBeInstanceOf(StoreUnreachableError);
      expect(requests).toBe(1);
    },
  );

  it('gives up within its time when the store does not answer', async () => {
    const store = storeAt(await serving(() => undefined), 'lease', 100);
    await expect(store.write(aLease(), '"1"')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('gives up within its time when the body does not end', async () => {
    const endpoint = await serving((_request, response) => {
      response.writeHead(200, { etag: '"1"', 'content-length': '1000' }).write('{');
    });
    await expect(storeAt(endpoint, 'lease', 100).read()).rejects.toBeInstanceOf(StoreUnreachableError);
  });

  it('says unreachable when nobody listens, naming the cause', async () => {
    const endpoint = await answering(200);
    const closing = server;
    await new Promise((resolve) => closing?.close(resolve));
    server = null;
    await expect(storeAt(endpoint).read()).rejects.toThrow(
      'the object store should have answered "read the lease"',
    );
  });

  it('reports a corrupt lease, not an unreachable store, when a proxy answers with a page', async () => {
    const store = storeAt(await answering(200, '<html>Welcome</html>'));
    await expect(store.read()).rejects.toBeInstanceOf(LeaseCorruptError);
  });

  it('refuses to read an object far larger than a lease', async () => {
    const store = storeAt(await answering(200, 'x'.repeat(100_000)));
    await expect(store.read()).rejects.toBeInstanceOf(LeaseCorruptError);
  });

  it('sends the condition that each write is made under', async () => {
    const seen: unknown[] = [];
    const endpoint = await serving((request, response) => {
      seen.push([request.headers['if-match'], request.headers['if-none-match']]);
      request.resume();
      response.writeHead(200, { etag: '"2"' }).end();
    });
    const store = storeAt(endpoint);
    await store.write(aLease(), '"1"');
    await store.write(aLease(), 'absent');
    expect(seen).toEqual([
      ['"1"', undefined],
      [undefined, '*'],
    ]);
  });
});

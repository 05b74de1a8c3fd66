/** Weights from a real S3 store: ranges, sizes, and what it says when something is not there. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { versionFolder, weightsKey } from '../../../infra/contract/weights';
import { CREDENTIALS, findVersitygw, Versitygw } from '../../lease/testing/versitygw';
import { MemoryHost } from '../testing/memory-host';
import { verifyModel } from '../verify-model';
import { createWeights } from '.';
import { S3WeightsStore } from './s3-store';
import { digest } from './testing/memory-weights';

const program = findVersitygw();
const describeWithStore = program === undefined ? describe.skip : describe;
const BUCKET = 'snapshots';

describeWithStore(`weights in an S3 store${program === undefined ? ' (skipped: no versitygw)' : ''}`, () => {
  let gateway: Versitygw;
  let store: S3WeightsStore;
  const content = randomBytes(3_000_000).toString('base64');
  const sha256 = digest(content);

  beforeAll(async () => {
    gateway = await Versitygw.start(program ?? '');
    await gateway.makeBucket(BUCKET);
    await gateway.put(BUCKET, weightsKey(sha256), content);
    store = new S3WeightsStore({
      endpoint: gateway.endpoint,
      region: 'us-east-1',
      bucket: BUCKET,
      account: CREDENTIALS,
    });
  });
  afterAll(async () => {
    store.close();
    await gateway.stop();
  });

  it('are read from any byte on', async () => {
    expect(await store.size(sha256)).toBe(content.length);
    const chunks: Buffer[] = [];
    for await (const chunk of await store.open(sha256, 1_000_000)) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe(content.slice(1_000_000));
  });

  it('that are not there have no size, and are an error to read', async () => {
    expect(await store.size('0'.repeat(64))).toBeNull();
    await expect(store.open('0'.repeat(64), 0)).rejects.toMatchObject({ code: 'object-store' });
  });

  it('arrive as a version that passes the check at the engine’s start', async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'pull-'));
    try {
      const sums = `${sha256}  model.safetensors\n`;
      await gateway.put(BUCKET, weightsKey(digest(sums)), sums);
      const pulled = await createWeights(new MemoryHost()).pull(
        {
          ...{ name: 'tiny', folder, sha256: digest(sums), rolloutOrder: 'standby-first' },
          store: {
            ...{ endpoint: gateway.endpoint, region: 'us-east-1', bucket: BUCKET },
            ...{ credentials: 'account', maxMbitPerSecond: 0 },
          },
        },
        CREDENTIALS,
      );
      expect(pulled).toMatchObject({ files: 1, bytes: content.length });
      expect(await verifyModel(versionFolder(folder, digest(sums)), digest(sums))).toBe(1);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });
});

describe('a store that ignores ranges', () => {
  it('is refused, since its first bytes would be taken for those in the middle', async () => {
    const server = http.createServer((_request, response) => response.end('from the beginning'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const store = new S3WeightsStore({
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: 'us-east-1',
      bucket: BUCKET,
      account: CREDENTIALS,
    });
    try {
      await expect(store.open('0'.repeat(64), 5)).rejects.toThrow(/without a range when asked from byte 5/);
    } finally {
      store.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

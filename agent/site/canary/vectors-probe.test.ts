import { QdrantClient } from '../qdrant/client';
import { FakeQdrant } from '../testing/fake-qdrant';
import { VectorsProbe } from './vectors-probe';

let qdrant: FakeQdrant;
let client: QdrantClient;
let applying: boolean;
let probe: VectorsProbe;

beforeEach(async () => {
  qdrant = new FakeQdrant();
  applying = false;
  client = new QdrantClient({ port: await qdrant.listen(), apiKey: qdrant.apiKey });
  probe = new VectorsProbe({ qdrant: client, timeoutMs: 80, isApplying: () => applying });
});
afterEach(async () => {
  await client.close();
  await qdrant.close();
});

const dirty = () => {
  qdrant.create('docs');
  for (const shard of qdrant.collection('docs').shards) shard.dirty = true;
};

it('is ok when every collection can be read, and when there is none', async () => {
  expect((await probe.probe()).outcome).toBe('ok');
  qdrant.create('docs');
  expect(await probe.probe()).toEqual({ outcome: 'ok', detail: '1 of 1 collections read' });
});

it('trap 15: fails on a dirty shard although readiness and the list of collections say 200', async () => {
  dirty();
  expect(await probe.probe()).toMatchObject({
    outcome: 'failed',
    detail: expect.stringContaining('Dirty shard'),
  });
});

it('fails within its deadline when Qdrant hangs', async () => {
  qdrant.create('docs');
  qdrant.intercept = (_request, _response, path) => path.endsWith('/scroll');
  expect((await probe.probe()).outcome).toBe('failed');
});

it('fails when Qdrant is down', async () => {
  await qdrant.close();
  expect((await probe.probe()).outcome).toBe('failed');
});

it('does not hold failed reads against Qdrant while a publish is being applied', async () => {
  dirty();
  applying = true;
  expect((await probe.probe()).outcome).toBe('ok');
});

it('reads collections in turns when there are many', async () => {
  for (let index = 0; index < 20; index += 1) qdrant.create(`c${String(index).padStart(2, '0')}`);
  for (let round = 0; round < 3; round += 1) await probe.probe();
  const read = new Set(qdrant.requests.filter((line) => line.endsWith('/scroll')));
  expect(read.size).toBe(20);
});

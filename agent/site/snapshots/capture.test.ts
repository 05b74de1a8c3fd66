import { World } from '../testing/world';
import { newPublishId, parseManifest } from './manifest';
import { creationBody, indexSchema, sameStructure } from './collection-config';
import { canonicalJson } from './hashing';

describe('counts of a publish', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.stop());

  const manifest = async (id: string) => (await world.store.readManifest('uk', id)).manifest;

  it('are exact when writes were held throughout', async () => {
    const { id } = await world.uk.publisher().publish();
    const { exact, collections } = await manifest(id);
    expect(exact).toBe(true);
    expect(collections[0]).toMatchObject({ pointsMin: 50, pointsMax: 50 });
    expect(collections[0]?.samples).toHaveLength(3);
    expect(collections[0]?.samples.every((sample) => sample.query !== null)).toBe(true);
  });

  it('are bounds, and changed samples are left out, when a write in flight did not end in time', async () => {
    const ticket = world.uk.gate.enter();
    world.uk.qdrant.onRequest = (method, path) => {
      // The straggler lands while the shards are being cut.
      if (method !== 'POST' || !path.endsWith('/shards/0/snapshots')) return;
      world.uk.qdrant.fill('docs', 0, 1, { changed: true });
      world.uk.qdrant.fill('docs', 50, 55);
    };
    const { id } = await world.uk.publisher().publish();
    ticket.leave();
    const { exact, collections } = await manifest(id);
    expect(exact).toBe(false);
    expect(collections[0]).toMatchObject({ pointsMin: 45, pointsMax: 60 });
    expect(collections[0]?.samples.map((sample) => sample.id)).not.toContain(0);
    expect((await world.eu.applier().apply()).id).toBe(id);
  });

  it('are exact at a hand-over, because what did not end in time is never acknowledged', async () => {
    const ticket = world.uk.gate.enter();
    world.uk.keeper.writesHeld = true;
    const { id } = await world.uk.publisher().publish(true);
    expect(ticket.revoked).toBe(true);
    expect((await manifest(id)).exact).toBe(true);
    ticket.leave();
  });

  it('let writes wait no longer than was allowed', async () => {
    const { gate, qdrant } = world.uk;
    let released: Promise<void> | null = null;
    qdrant.onRequest = async (method, path) => {
      if (method !== 'POST' || !path.endsWith('/shards/0/snapshots')) return;
      released = gate.waitIfHeld();
      await released;
    };
    const { id } = await world.uk.publisher().publish();
    expect(released).not.toBeNull();
    expect((await manifest(id)).exact).toBe(false);
  });

  it('trap 13: are not taken of a collection with shards on other nodes', async () => {
    world.uk.qdrant.intercept = (_request, response, path) => {
      if (!path.endsWith('/cluster')) return false;
      response.end(JSON.stringify({ result: { local_shards: [], remote_shards: [{ shard_id: 1 }] } }));
      return true;
    };
    await expect(world.uk.publisher().publish()).rejects.toMatchObject({ code: 'SNAPSHOT_UNFIT' });
  });

  it('counts the acknowledged writes that are in no publish yet', async () => {
    const publisher = world.uk.publisher();
    publisher.countWrite();
    publisher.countWrite();
    expect(publisher.unpublishedWrites).toBe(2);
    await publisher.publish();
    expect(publisher.unpublishedWrites).toBe(0);
    publisher.countWrite();
    expect(publisher.unpublishedWrites).toBe(1);
  });
});

describe('ids of publishes', () => {
  it('sort by epoch and then by order, also when the clock was set back', () => {
    const first = newPublishId(1, '2026-01-02T03:04:05.999Z');
    expect(first).toMatch(/^0000000001-20260102T030405Z-[0-9a-f]{4}$/);
    const second = newPublishId(1, '2025-12-31T00:00:00.000Z', first);
    expect(second > first).toBe(true);
    expect(second).toMatch(/^0000000001-20260102T030406Z-/);
    const nextEpoch = newPublishId(2, '2020-01-01T00:00:00.000Z', second);
    expect(nextEpoch > second).toBe(true);
    expect(nextEpoch).toMatch(/^0000000002-20200101T000000Z-/);
  });
});

describe('a manifest', () => {
  it.each([
    ['is no JSON', '{'],
    ['is of another schema', '{"schemaVersion":2}'],
  ])('is refused when it %s', (_what, text) => {
    expect(() => parseManifest(text, 'manifest.json')).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    );
  });

  it.each(['../../etc', 'a/b', '..', 'a\0b', ''])(
    'is refused when a collection is called %j',
    async (name) => {
      const world = await World.start();
      const { id } = await world.uk.publisher().publish();
      const text = JSON.stringify((await world.store.readManifest('uk', id)).manifest);
      await world.stop();
      const renamed = text.replace('"name":"docs"', `"name":${JSON.stringify(name)}`);
      expect(() => parseManifest(renamed, 'manifest.json')).toThrow(
        expect.objectContaining({ code: 'MANIFEST_INVALID' }),
      );
    },
  );
});

describe('configuration of a collection', () => {
  const config = {
    params: { vectors: { size: 4, distance: 'Cosine' }, shard_number: 2, replication_factor: 1 },
    hnsw_config: { m: 16 },
    optimizer_config: { flush_interval_sec: 5 },
    quantization_config: null,
  };

  it('becomes what creates it', () => {
    expect(creationBody(config)).toEqual({
      vectors: { size: 4, distance: 'Cosine' },
      shard_number: 2,
      replication_factor: 1,
      hnsw_config: { m: 16 },
      optimizers_config: { flush_interval_sec: 5 },
    });
  });

  it('has the same structure whatever the order of keys and the nulls are', () => {
    const other = {
      ...config,
      params: { shard_number: 2, vectors: { distance: 'Cosine', size: 4 }, sparse_vectors: null },
    };
    expect(sameStructure(config, other)).toBe(true);
    expect(sameStructure(config, { ...config, params: { ...config.params, shard_number: 3 } })).toBe(false);
  });

  it('keeps the parameters of an index', () => {
    expect(indexSchema({ data_type: 'integer' })).toBe('integer');
    expect(indexSchema({ data_type: 'integer', params: { type: 'integer', lookup: true } })).toEqual({
      type: 'integer',
      lookup: true,
    });
  });
});

it('canonical JSON keeps the order of lists and sorts the keys', () => {
  expect(canonicalJson({ b: [2, 1, { d: null, c: 1 }], a: 0 })).toBe('{"a":0,"b":[2,1,{"c":1}]}');
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPLY_STEPS, type ApplyStep } from './apply';
import { PUBLISH_STEPS, type PublishStep } from './publish';
import { World, killAt } from '../testing/world';

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(() => world.stop());

const publish = () => world.uk.publisher().publish();
const apply = () => world.eu.applier().apply();
const same = () => expect(world.eu.qdrant.ids('docs')).toEqual(world.uk.qdrant.ids('docs'));
const latest = async () => (await world.store.readLatest())?.pointer.publishId ?? null;

describe('publish and apply', () => {
  it('brings collections, points, aliases and indexes to the other site', async () => {
    const published = await publish();
    const applied = await apply();
    expect(applied).toEqual(published);
    expect(published.points).toBe(50);
    same();
    expect([...world.eu.qdrant.aliases]).toEqual([['current', 'docs']]);
    expect(Object.keys(world.eu.qdrant.collection('docs').schema)).toEqual(['n']);
    expect(world.eu.ledger.state.applied?.id).toBe(published.id);
    expect(world.eu.ledger.state.applying).toBeNull();
  });

  it('trap 32: follows what changed or vanished: deletions replicate too', async () => {
    world.uk.qdrant.create('old');
    await publish();
    await apply();
    world.uk.qdrant.collections.delete('old');
    for (const shard of world.uk.qdrant.collection('docs').shards) shard.points.delete('7');
    world.uk.qdrant.create('new');
    world.uk.qdrant.aliases.set('current', 'new');
    world.uk.qdrant.aliases.set('old', 'docs');
    world.uk.qdrant.collection('docs').schema = { tag: { data_type: 'keyword', points: 0 } };
    await publish();
    await apply();
    expect([...world.eu.qdrant.collections.keys()].sort()).toEqual(['docs', 'new']);
    expect(world.eu.qdrant.ids('docs')).not.toContain(7);
    same();
    expect(Object.fromEntries(world.eu.qdrant.aliases)).toEqual({ current: 'new', old: 'docs' });
    expect(Object.keys(world.eu.qdrant.collection('docs').schema)).toEqual(['tag']);
  });

  it('makes a collection anew when its shape here is another', async () => {
    world.eu.qdrant.create('docs', 1, 4);
    await publish();
    await apply();
    expect(world.eu.qdrant.collection('docs').shards).toHaveLength(2);
    same();
  });

  it('carries over settings that can be changed in place', async () => {
    await publish();
    await apply();
    world.uk.qdrant.collection('docs').config['hnsw_config'] = { m: 32 };
    await publish();
    await apply();
    expect(world.eu.qdrant.collection('docs').config['hnsw_config']).toEqual({ m: 32 });
    expect(world.eu.qdrant.requests).toContain('PATCH /collections/docs');
  });

  it('publishes and applies a site without collections', async () => {
    world.uk.qdrant.collections.clear();
    world.uk.qdrant.aliases.clear();
    await publish();
    expect((await apply()).points).toBe(0);
  });

  it('removes publishes that the history has no place for, and never the latest', async () => {
    const current = await publish();
    const { manifest } = await world.store.readManifest('uk', current.id);
    const old = ['0000000001-20200101T000000Z-0001', '0000000001-20200101T001000Z-0002'];
    for (const id of old) await world.store.putManifest({ ...manifest, id });
    const next = await publish();
    expect(await world.store.listPublishes('uk')).toEqual([current.id, next.id]);
    expect(world.store.retained).toEqual([[current.id, next.id]]);
  });

  it('does not remove anything for an hour after it has', async () => {
    const publisher = world.uk.publisher();
    const current = await publisher.publish();
    const { manifest } = await world.store.readManifest('uk', current.id);
    await world.store.putManifest({ ...manifest, id: '0000000001-20200101T000000Z-0001' });
    await publisher.publish();
    expect(await world.store.listPublishes('uk')).toContain('0000000001-20200101T000000Z-0001');
  });

  it('removes nothing when the lease was lost while it published', async () => {
    const current = await publish();
    const { manifest } = await world.store.readManifest('uk', current.id);
    const old = '0000000001-20200101T000000Z-0001';
    await world.store.putManifest({ ...manifest, id: old });
    world.uk.publishStep = async (step) => {
      if (step === 'recorded') world.uk.keeper.leaseEpoch = 2;
    };
    await publish();
    expect(await world.store.listPublishes('uk')).toContain(old);
    expect(world.store.retained).toEqual([]);
  });

  it('says that a publish is here already when it is applied again', async () => {
    await publish();
    await apply();
    const touched = world.eu.qdrant.requests.length;
    await expect(apply()).rejects.toMatchObject({ code: 'ALREADY_APPLIED' });
    expect(world.eu.qdrant.requests).toHaveLength(touched);
  });

  it('ages the data from the moment of the cut by the clock of the store and then its own', async () => {
    let storeMs = 0;
    world.store.nowMs = () => storeMs;
    await publish();
    storeMs = 90_000;
    await apply();
    const { applied } = world.eu.ledger.state;
    expect(applied?.anchor.ageSeconds).toBeGreaterThanOrEqual(90);
    expect(applied?.anchor.ageSeconds).toBeLessThan(95);
  });
});

describe('a publish that is killed', () => {
  it.each(PUBLISH_STEPS)(
    'leaves a whole latest publish and no litter when killed at %s',
    async (step: PublishStep) => {
      const first = await publish();
      world.uk.qdrant.fill('docs', 50, 60);
      const { hook, killed } = killAt(step);
      world.uk.publishStep = hook;
      void world.uk.publisher().publish();
      await killed;
      const moved = PUBLISH_STEPS.indexOf(step) >= PUBLISH_STEPS.indexOf('pointer-moved');
      expect((await latest()) === first.id).toBe(!moved);
      await apply();
      expect(world.eu.qdrant.count('docs')).toBe(moved ? 60 : 50);

      await world.uk.restart();
      const second = await publish();
      expect(world.uk.qdrant.snapshotCount()).toBe(0);
      expect(await latest()).toBe(second.id);
      expect((await apply()).id).toBe(second.id);
      same();
    },
  );
});

describe('an apply that is killed', () => {
  const steps = APPLY_STEPS.filter((step) => step !== 'set-aside');

  it.each(steps)('is not taken for good and is done again when killed at %s', async (step: ApplyStep) => {
    const first = await publish();
    await apply();
    world.uk.qdrant.fill('docs', 50, 80);
    const second = await publish();
    const { hook, killed } = killAt(step);
    world.eu.applyStep = hook;
    void world.eu.applier().apply();
    await killed;

    await world.eu.restart();
    const at = APPLY_STEPS.indexOf(step);
    const touched = at >= APPLY_STEPS.indexOf('marked') && at < APPLY_STEPS.indexOf('recorded');
    expect(world.eu.ledger.state.applying?.id ?? null).toBe(touched ? second.id : null);
    const done = at >= APPLY_STEPS.indexOf('recorded');
    expect(world.eu.ledger.state.applied?.id).toBe(done ? second.id : first.id);
    if (done) await expect(apply()).rejects.toMatchObject({ code: 'ALREADY_APPLIED' });
    else expect((await apply()).id).toBe(second.id);
    expect(world.eu.ledger.state.applying).toBeNull();
    same();
  });

  it.each(['staged', 'set-aside', 'marked', 'shard-recovered', 'recorded'] as const)(
    'keeps the data that was set aside, whole and once, when re-protection is killed at %s',
    async (step) => {
      world.eu.qdrant.create('docs', 2);
      world.eu.qdrant.fill('docs', 900, 907);
      world.eu.keeper.siteState = 'fenced';
      await publish();
      const { hook, killed } = killAt<ApplyStep>(step);
      world.eu.applyStep = hook;
      void world.eu.applier().apply({ reprotect: true, setAside: true });
      await killed;
      await world.eu.restart();
      const again = world.eu.applier().apply({ reprotect: true, setAside: true });
      if (step === 'recorded') await expect(again).rejects.toMatchObject({ code: 'ALREADY_APPLIED' });
      else await again;
      same();
      expect(world.eu.ledger.state.setAside).toHaveLength(1);
      const folder = world.eu.ledger.state.setAside[0]?.folder ?? '';
      const contents = JSON.parse(readFileSync(join(folder, 'contents.json'), 'utf8'));
      expect(contents.collections[0]).toMatchObject({ name: 'docs', points: 7 });
      const kept = contents.collections[0].shards.flatMap((shard: { path: string }) =>
        JSON.parse(readFileSync(shard.path, 'utf8')).map((point: { id: number }) => point.id),
      );
      expect(kept.sort()).toEqual([900, 901, 902, 903, 904, 905, 906]);
      expect(world.eu.qdrant.snapshotCount()).toBe(0);
    },
  );

  it('fetches only the parts that it had not fetched', async () => {
    await publish();
    const { hook, killed } = killAt<ApplyStep>('part-fetched');
    world.eu.applyStep = hook;
    void world.eu.applier().apply();
    await killed;
    await world.eu.restart();
    const read: string[] = [];
    world.store.onRead = (key, body) => (read.push(key), body);
    await apply();
    expect(read.filter((key) => key.endsWith('.snapshot'))).toHaveLength(1);
  });

  it('is finished from its staged parts when the store cannot be reached', async () => {
    await publish();
    const { hook, killed } = killAt<ApplyStep>('shard-recovered');
    world.eu.applyStep = hook;
    void world.eu.applier().apply();
    await killed;
    await world.eu.restart();
    world.store.reachable = false;
    await apply();
    same();
    expect(world.eu.ledger.state.applying).toBeNull();
  });
});

import type { PublishListing } from '../../../infra/contract/agent-api';
import { World, killAt } from '../testing/world';
import { catalogue, choose } from './catalogue';
import type { Manifest } from './manifest';
import { REWIND_STEPS, type RewindStep } from './rewind';

jest.setTimeout(60_000);

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(() => world.stop());

const publish = () => world.uk.publisher().publish();
const BY = { by: 'Ada', reason: 'a bad import' };
const rewind = (at: string) => world.uk.rewinder().rewind({ at, ...BY });
const points = () => world.uk.qdrant.count('docs');

/** Fifty points are published, ten more too, ten more are not. */
async function history(): Promise<{ good: string; later: string }> {
  const good = await publish();
  world.uk.qdrant.fill('docs', 50, 60);
  const later = await publish();
  world.uk.qdrant.fill('docs', 60, 70);
  return { good: good.id, later: later.id };
}

describe('bringing the data back to an earlier publish', () => {
  it('restores it, publishes it for the standby, and keeps what was there as a publish', async () => {
    const { good } = await history();
    const info = await rewind(good);
    expect(points()).toBe(50);
    expect(info.points).toBe(50);
    await world.eu.applier().apply();
    expect(world.eu.qdrant.count('docs')).toBe(50);
    const before = (await catalogue(world.store, ['uk'])).find((one) => one.points === 70);
    expect(before).toBeDefined();
    expect(world.uk.events.join('\n')).toContain(`before it was ${before?.id}`);
    await rewind(before?.id ?? '');
    expect(points()).toBe(70);
  });

  it('publishes the digest of what it brought back, also where the number of points is the same', async () => {
    world.uk.useDigests();
    const digestOf = async (id: string) =>
      (await world.store.readManifest('uk', id)).manifest.collections[0]?.digest;
    const good = await publish();
    await world.uk.write('PUT', '/collections/docs/points?wait=true', {
      points: [{ id: 7, vector: [1, 2, 3, 4], payload: { n: 'spoilt' } }],
    });
    const bad = await publish();
    expect(await digestOf(bad.id)).not.toEqual(await digestOf(good.id));
    const back = await rewind(good.id);
    expect(await digestOf(back.id)).toEqual(await digestOf(good.id));
  });

  it('takes the newest publish up to a time', async () => {
    const { good, later } = await history();
    const listings = await catalogue(world.store, ['uk', 'eu']);
    const at = listings.find(({ id }) => id === good)?.at ?? '';
    expect(choose(listings, at).id).toBe(good);
    expect(choose(listings, '2999-01-01T00:00:00Z').id).toBe(later);
    await rewind(at);
    expect(points()).toBe(50);
  });

  it.each([
    ['a time before all publishes', '2001-01-01T00:00:00Z'],
    ['what is neither a time nor a publish', 'yesterday-ish'],
  ])('refuses %s, and touches nothing', async (_what, at) => {
    await history();
    await expect(rewind(at)).rejects.toMatchObject({ code: 'NO_SUCH_PUBLISH' });
    expect(points()).toBe(70);
    expect(world.uk.ledger.state.rewinding).toBeNull();
  });

  it('is refused on a site that does not hold the lease', async () => {
    const { good } = await history();
    world.uk.keeper.holder = 'eu';
    await expect(rewind(good)).rejects.toMatchObject({ code: 'NOT_HOLDER' });
    expect(points()).toBe(70);
  });

  it('changes nothing when what is there cannot be kept first', async () => {
    const { good } = await history();
    world.uk.publishStep = async (step) => {
      if (step === 'parts-stored') throw new Error('the store is full');
    };
    await expect(rewind(good)).rejects.toThrow('the store is full');
    expect(points()).toBe(70);
    expect(world.uk.ledger.state.rewinding).toBeNull();
  });

  it('goes back to what was there when the earlier publish does not verify', async () => {
    const { good } = await history();
    const { manifest } = await world.store.readManifest('uk', good);
    const bad = structuredClone(manifest) as Manifest;
    for (const collection of bad.collections) collection.pointsMin = collection.pointsMax = 51;
    await world.store.putManifest(bad);
    await expect(rewind(good)).rejects.toMatchObject({ code: 'RESTORE_UNVERIFIED' });
    expect(points()).toBe(70);
    expect(world.uk.ledger.state.rewinding).toBeNull();
  });

  it('stops touching when the lease is lost, and publishes nothing of what is half done', async () => {
    const { good } = await history();
    world.uk.rewindStep = async (step) => {
      if (step === 'touched') world.uk.keeper.holder = 'eu';
    };
    await expect(rewind(good)).rejects.toMatchObject({ code: 'REWIND_INTERRUPTED' });
    world.uk.keeper.holder = 'uk';
    await expect(publish()).rejects.toMatchObject({ code: 'REWINDING' });
  });

  it.each(REWIND_STEPS)('is whole again, before or after, when killed at %s', async (step: RewindStep) => {
    const { good } = await history();
    const { hook, killed } = killAt(step);
    world.uk.rewindStep = hook;
    void rewind(good);
    await killed;
    world.uk.rewindStep = null;
    await world.uk.restart();
    const at = REWIND_STEPS.indexOf(step);
    const kept = at >= REWIND_STEPS.indexOf('kept');
    if (kept && step !== 'ended') await expect(publish()).rejects.toMatchObject({ code: 'REWINDING' });
    await world.uk.rewinder().resume();
    expect(world.uk.ledger.state.rewinding).toBeNull();
    expect(points()).toBe(kept ? 50 : 70);
    expect((await publish()).points).toBe(points());
  });
});

describe('what can be restored', () => {
  it('is listed newest first, of both sites, with the latest marked', async () => {
    const { later } = await history();
    const listings = await catalogue(world.store, ['uk', 'eu']);
    expect(listings.map(({ points: count }) => count)).toEqual([60, 50]);
    expect(listings.filter(({ latest }) => latest).map(({ id }) => id)).toEqual([later]);
    expect(await catalogue(world.store, ['eu'])).toEqual([]);
  });

  it('says so when there is nothing', () => {
    const none: PublishListing[] = [];
    expect(() => choose(none, '2026-01-01T00:00:00Z')).toThrow('Nothing was published up to');
  });
});

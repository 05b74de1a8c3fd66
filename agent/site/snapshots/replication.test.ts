import { World } from '../testing/world';

describe('publish and apply', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.stop());

  it('brings collections, points, aliases and indexes to the other site', async () => {
    const published = await world.uk.publisher().publish();
    const applied = await world.eu.applier().apply();
    expect(applied).toEqual(published);
    expect(published.points).toBe(50);
    expect(world.eu.qdrant.ids('docs')).toEqual(world.uk.qdrant.ids('docs'));
    expect([...world.eu.qdrant.aliases]).toEqual([['current', 'docs']]);
    expect(Object.keys(world.eu.qdrant.collection('docs').schema)).toEqual(['n']);
    expect(world.eu.ledger.state.applied?.id).toBe(published.id);
    expect(world.eu.ledger.state.applying).toBeNull();
  });
});

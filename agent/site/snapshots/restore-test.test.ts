import { SCRATCH_COLLECTION } from '../../../infra/contract/agent-api';
import { World } from '../testing/world';
import type { Manifest } from './manifest';

jest.setTimeout(60_000);

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(() => world.stop());

/** Two publishes of other sizes; the second one is at eu, which stands by. */
async function history(): Promise<{ first: string; second: string }> {
  const first = await world.uk.publisher().publish();
  world.uk.qdrant.fill('docs', 50, 60);
  const second = await world.uk.publisher().publish();
  await world.eu.applier().apply();
  return { first: first.id, second: second.id };
}

const last = () => world.eu.ledger.state.restoreTest?.verdict;
const hasScratch = () => world.eu.qdrant.collections.has(SCRATCH_COLLECTION);

describe('testing a restore', () => {
  it.each([0, 1])(
    'brings any publish of the history back beside the data, and leaves nothing',
    async (at) => {
      const { first, second } = await history();
      // Listed newest first: the first draw for each decides the order.
      const draws = at === 0 ? [0, 1, 0] : [1, 0, 0];
      const tester = world.eu.tester({ random: () => draws.shift() ?? 0 });
      const verdict = await tester.test();
      expect(verdict).toMatchObject({
        publishId: at === 0 ? second : first,
        ...{ collection: 'docs', result: 'passed', details: [expect.stringContaining('docs: ')] },
        points: at === 0 ? 60 : 50,
      });
      expect(last()).toEqual(verdict);
      await tester.clean();
      expect([...world.eu.qdrant.collections.keys()]).toEqual(['docs']);
      expect(world.eu.qdrant.count('docs')).toBe(60);
      expect(world.eu.qdrant.aliases.get('current')).toBe('docs');
    },
  );

  it('compares every point with the digest of the publish', async () => {
    world.uk.useDigests();
    const { id } = await world.uk.publisher().publish();
    const digest = (await world.store.readManifest('uk', id)).manifest.collections[0]?.digest;
    await world.eu.applier().apply();
    expect(await world.eu.tester().test()).toMatchObject({ result: 'passed', details: [] });
    // Counts and known answers do not see that one point is another.
    await world.uk.write('PUT', '/collections/docs/points?wait=true', {
      points: [{ id: 33, vector: [1, 2, 3, 4], payload: { n: 'other' } }],
    });
    const { id: later } = await world.uk.publisher().publish();
    await world.store.removePublish('uk', id);
    expect(await world.eu.tester().test()).toMatchObject({ publishId: later, result: 'passed' });
    await falsify(world, (each) => {
      each.digest = digest;
    });
    const verdict = await world.eu.tester().test();
    expect(verdict.result).toBe('failed');
    expect(verdict.details).toEqual([
      'docs: the points of 1 of 256 buckets are not what was published; the publisher could not be asked which',
    ]);
  });

  it('fails on a part that is not what was published, and says so at once', async () => {
    await history();
    world.store.onRead = (key, body) => (key.endsWith('.snapshot') ? Buffer.from('rotten') : body);
    expect(await world.eu.tester().test()).toMatchObject({ result: 'failed' });
    expect(world.eu.events.join('\n')).toContain('could not be restored in a test');
    expect(world.eu.qdrant.count('docs')).toBe(60);
  });

  it('fails on another number of points than the manifest says', async () => {
    await history();
    await falsify(world, (each) => {
      each.pointsMin = each.pointsMax = 1000;
    });
    const verdict = await world.eu.tester().test();
    expect(verdict.result).toBe('failed');
    expect(verdict.details.join()).toContain('docs: 1000 points were published');
  });

  it('gives no verdict while the store is away: that says nothing of what is stored', async () => {
    await history();
    const tester = world.eu.tester();
    world.store.reachable = false;
    await expect(tester.test()).rejects.toMatchObject({ code: 'SNAPSHOT_STORE_UNREACHABLE' });
    expect(last()).toBeUndefined();
  });

  it('says so where nothing is small enough to be tested', async () => {
    await history();
    await expect(world.eu.tester({ freeMemoryBytes: () => 10 }).test()).rejects.toMatchObject({
      code: 'NOTHING_TO_TEST',
    });
  });

  it('is refused on the site that holds the lease', async () => {
    await history();
    await expect(world.uk.tester().test()).rejects.toMatchObject({ code: 'NOT_STANDBY' });
  });

  it('ends at once when it is stopped, though the store hangs, and leaves nothing', async () => {
    await history();
    const tester = world.eu.tester();
    let hangs = (): void => undefined;
    const hung = new Promise<void>((resolve) => (hangs = resolve));
    world.store.onFetch = () => new Promise(() => hangs());
    const test = tester.test();
    await hung;
    tester.stop('this site is being promoted');
    await expect(test).rejects.toMatchObject({ code: 'RESTORE_TEST_STOPPED' });
    await tester.clean();
    expect(hasScratch()).toBe(false);
    expect(last()).toBeUndefined();
  });

  it('ends at once when it is stopped before it has chosen', async () => {
    await history();
    const tester = world.eu.tester();
    let asked = (): void => undefined;
    const asking = new Promise<void>((resolve) => (asked = resolve));
    jest.spyOn(world.store, 'listPublishes').mockImplementation(() => new Promise(() => asked()));
    const test = tester.test();
    await asking;
    tester.stop('this site is being promoted');
    await expect(test).rejects.toMatchObject({ code: 'RESTORE_TEST_STOPPED' });
  });

  it('removes what a killed test left, and no site publishes or applies it', async () => {
    await history();
    for (const { qdrant } of [world.uk, world.eu]) {
      qdrant.create(SCRATCH_COLLECTION, 1);
      qdrant.fill(SCRATCH_COLLECTION, 0, 5);
    }
    const { id } = await world.uk.publisher().publish();
    const { manifest } = await world.store.readManifest('uk', id);
    expect(manifest.collections.map(({ name }) => name)).toEqual(['docs']);
    await world.eu.applier().apply();
    await world.eu.tester().clean();
    expect(hasScratch()).toBe(false);
  });
});

describe('when a restore test is due', () => {
  const HOUR = 3600;
  it.each<[string, 'passed' | 'failed' | null, number, boolean]>([
    ['before the first interval is over', null, 23 * HOUR, false],
    ['after it', null, 24 * HOUR, true],
    ['within a day of one that passed', 'passed', 23 * HOUR, false],
    ['a day after one that passed', 'passed', 24 * HOUR, true],
    ['an hour after one that failed', 'failed', HOUR, true],
    ['right after one that failed', 'failed', HOUR - 60, false],
    ['when the clock was set back', 'passed', -HOUR, true],
  ])('%s', async (_when, result, age, due) => {
    await history();
    const verdict =
      result === null
        ? null
        : { publishId: 'p', collection: 'docs', result, details: [], points: 1, bytes: 1, seconds: 1 };
    const since = new Date(Date.now() - age * 1000).toISOString();
    await world.eu.ledger.update({ restoreTest: { since, verdict } });
    expect(world.eu.tester({ intervalHours: 24 }).isDue()).toBe(due);
    expect(world.eu.tester({ intervalHours: 0 }).isDue()).toBe(false);
    await world.uk.ledger.update({ restoreTest: { since, verdict } });
    expect(world.uk.tester({ intervalHours: 24 }).isDue()).toBe(false);
  });
});

/** Changes the manifests of all that was published. */
async function falsify(
  { store }: World,
  change: (collection: Manifest['collections'][number]) => void,
): Promise<void> {
  for (const id of await store.listPublishes('uk')) {
    const { manifest } = await store.readManifest('uk', id);
    const other = structuredClone(manifest) as Manifest;
    other.collections.forEach(change);
    await store.putManifest(other);
  }
}

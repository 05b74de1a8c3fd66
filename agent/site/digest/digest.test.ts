import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { ManifestCollection } from '../snapshots/manifest';
import { World } from '../testing/world';

let world: World;
beforeEach(async () => {
  world = await World.start();
  world.uk.qdrant.create('other');
  world.uk.qdrant.fill('other', 0, 20);
  world.eu.peer = world.uk;
  world.uk.useDigests();
  world.eu.useDigests();
});
afterEach(() => world.stop());

const point = (id: number, n: number) => ({ id, vector: [n, 1, 2, 3], payload: { n } });
const upsert = (id: number, n: number) =>
  world.uk.write('PUT', '/collections/docs/points?wait=true', { points: [point(id, n)] });

async function published(): Promise<Map<string, ManifestCollection['digest']>> {
  const { id } = await world.uk.publisher().publish();
  const { manifest } = await world.store.readManifest('uk', id);
  return new Map(manifest.collections.map(({ name, digest }) => [name, digest]));
}

const scrolls = (name: string) =>
  world.uk.qdrant.requests.filter((request) => request === `POST /collections/${name}/points/scroll`).length;
const compared = () => world.eu.digests?.check.settled();
const verdict = () => world.eu.digests?.status().verdict;

describe('the digest of a publish', () => {
  it('has every collection, and the other site finds the same', async () => {
    const digests = await published();
    expect(digests.get('docs')).toMatchObject({ points: 50 });
    expect(digests.get('other')).toMatchObject({ points: 20 });
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same', points: 70, details: [] });
    expect(world.eu.digests?.status().sameAgeSeconds).toBeGreaterThanOrEqual(0);
  });

  it('follows writes by id without reading the collection again', async () => {
    const before = await published();
    const read = scrolls('docs');
    await upsert(3, 333);
    await upsert(90, 90);
    await world.uk.write('POST', '/collections/docs/points/delete', { points: [7] });
    const after = await published();
    // The known answers of a publish take one scroll; the digest none.
    expect(scrolls('docs') - read).toBe(1);
    expect(after.get('docs')).toMatchObject({ points: 50 });
    expect(after.get('docs')).not.toEqual(before.get('docs'));
    expect(after.get('other')).toEqual(before.get('other'));
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('reads the collection again after a write whose points it cannot know', async () => {
    await published();
    const read = scrolls('docs');
    await world.uk.write('POST', '/collections/docs/points/delete', { filter: {} });
    for (const shard of world.uk.qdrant.collection('docs').shards) shard.points.delete('5');
    const after = await published();
    expect(scrolls('docs') - read).toBeGreaterThan(1);
    expect(after.get('docs')).toMatchObject({ points: 49 });
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('finds a write by alias where the alias points, and both when it was moved', async () => {
    await published();
    await world.uk.write('PUT', '/collections/current/points', { points: [point(4, 44)] });
    await published();
    await world.uk.write('PUT', '/collections/current/points', { points: [point(5, 55)] });
    await world.uk.write('POST', '/collections/aliases', {
      actions: [
        { delete_alias: { alias_name: 'current' } },
        { create_alias: { alias_name: 'current', collection_name: 'other' } },
      ],
    });
    await world.uk.write('PUT', '/collections/current/points', { points: [point(6, 66)] });
    await published();
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same', points: 70 });
  });

  it('includes what is written between the reading and the hold', async () => {
    await published();
    let written = false;
    world.uk.qdrant.onRequest = async (_method, path) => {
      if (written || path !== '/collections/docs/points/scroll') return;
      written = true;
      await upsert(8, 888);
    };
    await upsert(3, 333);
    expect((await published()).get('docs')).toMatchObject({ points: 50 });
    expect(written).toBe(true);
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('is absent, with the reason, when writes are not held until the end, and whole again afterwards', async () => {
    await published();
    await upsert(3, 333);
    // A write that never ends keeps the hold from being one.
    const ticket = world.uk.gate.enter();
    expect((await published()).get('docs')).toEqual({ absent: expect.stringContaining('could not be held') });
    ticket.leave();
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({
      result: 'absent',
      details: expect.arrayContaining([expect.stringContaining('docs')]),
    });
    expect((await published()).get('docs')).toMatchObject({ points: 50 });
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('is absent when Qdrant fails while the digest is read, and right the next time', async () => {
    await published();
    await upsert(3, 333);
    world.uk.qdrant.intercept = (_request, response, path) => {
      if (path !== '/collections/docs/points') return false;
      response.writeHead(500).end('{}');
      return true;
    };
    const failing = world.uk
      .publisher()
      .publish()
      .catch(() => null);
    await failing;
    world.uk.qdrant.intercept = null;
    expect((await published()).get('docs')).toMatchObject({ points: 50 });
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it.each([
    [
      'torn',
      (folder: string) =>
        truncateSync(join(folder, readdirSync(folder).find((name) => name.endsWith('.full')) ?? ''), 10),
    ],
    ['lost', (folder: string) => rmSync(folder, { recursive: true })],
  ])('reads everything again when its table is %s, and is never wrong', async (_how, damage) => {
    await published();
    damage(join(world.uk.folder, 'digests', 'docs'));
    for (let round = 0; round < 3; round += 1) {
      await upsert(round, 1000 + round);
      await published();
      await world.eu.applier().apply();
      expect(verdict()?.result).not.toBe('different');
    }
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('reads everything again in a new process and in a new epoch, since others may have written', async () => {
    await published();
    world.uk.useDigests();
    world.uk.qdrant.fill('docs', 60, 61);
    expect((await published()).get('docs')).toMatchObject({ points: 51 });
    world.uk.keeper.leaseEpoch += 1;
    world.eu.keeper.leaseEpoch += 1;
    world.uk.qdrant.fill('docs', 61, 62);
    expect((await published()).get('docs')).toMatchObject({ points: 52 });
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });
});

describe('a single point that differs', () => {
  const shards = () => world.eu.qdrant.collection('docs').shards;
  const stored = (id: number) => shards().flatMap((shard) => shard.points.get(String(id)) ?? [])[0];
  const cases: readonly [string, () => void, string][] = [
    ['its payload', () => void (stored(41)!.payload = { n: 41, more: true }), 'point 41 has another payload'],
    ['its vector', () => void (stored(42)!.vector = [9, 9, 9, 9]), 'point 42 has other vectors'],
    [
      'that it is missing',
      () => shards().forEach((shard) => shard.points.delete('43')),
      'point 43 is missing here',
    ],
    ['that it is too many', () => world.eu.qdrant.fill('docs', 1044, 1045), 'point 1044 is only here'],
  ];

  /** After the shards were recovered, before they are judged. */
  const damaging = (damage: () => void): void => {
    world.eu.applyStep = (step) => {
      if (step === 'aliases-restored') damage();
      return Promise.resolve();
    };
  };

  it.each(cases.slice(0, 2))('is found and named in a restore: %s', async (_what, damage, said) => {
    const first = await world.uk.publisher().publish();
    await world.eu.applier().apply();
    await upsert(1, 111);
    await published();
    damaging(damage);
    await expect(world.eu.applier().apply()).rejects.toMatchObject({
      code: 'RESTORE_UNVERIFIED',
      message: expect.stringContaining(said),
    });
    // Refused whole: the last good one is back, and the samples alone would not have noticed.
    expect(world.eu.ledger.state.applied?.id).toBe(first.id);
    expect(world.eu.digests?.check.last).toMatchObject({ result: 'different' });
  });

  it.each(cases)('is named in a verdict: %s', async (_what, damage, said) => {
    const { id } = await world.uk.publisher().publish();
    await world.eu.applier().apply();
    damage();
    const { manifest } = await world.store.readManifest('uk', id);
    await expect(world.eu.digests?.check.verify(manifest)).rejects.toThrow(said);
    expect(verdict()).toMatchObject({
      result: 'different',
      details: [expect.stringContaining('1 of 256 buckets')],
    });
  });

  it('is told although the publisher can no longer be asked which it is', async () => {
    const { id } = await world.uk.publisher().publish();
    await world.eu.applier().apply();
    world.eu.peer = null;
    world.eu.qdrant.fill('docs', 1044, 1045);
    const { manifest } = await world.store.readManifest('uk', id);
    await expect(world.eu.digests?.check.verify(manifest)).rejects.toThrow('could not be asked which');
  });

  it('makes the publisher read everything again, so that a table that was wrong is right in the next publish', async () => {
    await published();
    // Behind the gateway's back: the table does not know of it.
    world.uk.qdrant.fill('docs', 41, 42, { secret: true });
    await upsert(1, 111);
    await published();
    await expect(world.eu.applier().apply()).rejects.toThrow('point 41');
    await published();
    await world.eu.applier().apply();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('is told when the verdict comes after the apply, and ends with the next publish', async () => {
    world.eu.useDigests(0);
    await published();
    damaging(() => world.eu.qdrant.fill('docs', 41, 42, { wrong: true }));
    await world.eu.applier().apply();
    await compared();
    expect(verdict()).toMatchObject({ result: 'different' });
    expect(world.eu.events.at(-1)).toContain('point 41 has another payload');
    world.eu.applyStep = null;
    await published();
    await world.eu.applier().apply();
    await compared();
    expect(verdict()).toMatchObject({ result: 'same' });
  });

  it('is not looked for once this site holds the lease', async () => {
    const { id } = await world.uk.publisher().publish();
    await world.eu.applier().apply();
    const { manifest } = await world.store.readManifest('uk', id);
    world.eu.keeper.holder = 'eu';
    world.eu.qdrant.fill('docs', 1044, 1045);
    await world.eu.digests?.check.verify(manifest);
    expect(verdict()).toMatchObject({ result: 'same' });
  });
});

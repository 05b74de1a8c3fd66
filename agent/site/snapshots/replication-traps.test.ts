import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { World } from '../testing/world';
import type { Manifest } from './manifest';

let world: World;
beforeEach(async () => {
  world = await World.start();
});
afterEach(() => world.stop());

const publish = () => world.uk.publisher().publish();
const apply = () => world.eu.applier().apply();
const touches = (requests: readonly string[]) =>
  requests.filter((line) => /^(PUT|DELETE|PATCH) |POST \/collections\/aliases/.test(line));

async function manifestOf(id: string): Promise<Manifest> {
  return (await world.store.readManifest('uk', id)).manifest;
}

/** Alters the manifest of a publish in the store. */
async function tamper(id: string, change: (manifest: Manifest) => void): Promise<void> {
  const manifest = structuredClone(await manifestOf(id));
  change(manifest);
  await world.store.putManifest(manifest);
}

describe('trap 18: recovery from a URL accepts any certificate', () => {
  it('names files among the shard’s own snapshots only, and takes them away afterwards', async () => {
    const { id } = await publish();
    const shown: string[] = [];
    world.eu.qdrant.onRequest = (method, path) => {
      if (method !== 'PUT' || !path.endsWith('/recover')) return;
      const folder = join(world.eu.folder, 'snapshots', 'docs', 'shards', path.split('/')[4] ?? '');
      shown.push(...readdirSync(folder));
    };
    await apply();
    expect(shown).toEqual([`failover-${id}.snapshot`, `failover-${id}.snapshot`]);
    expect(readdirSync(join(world.eu.folder, 'snapshots', 'docs', 'shards', '0'))).toEqual([]);
  });

  it('sweeps up what a killed recovery left there', async () => {
    const left = join(world.eu.folder, 'snapshots', 'docs', 'shards', '0');
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'failover-x.snapshot'), 'x');
    writeFileSync(join(left, 'mine.snapshot'), 'x');
    await publish();
    await apply();
    expect(readdirSync(left)).toEqual(['mine.snapshot']);
  });
});

describe('trap 33: production archives', () => {
  it('are left alone by an apply, and by the other site’s pruning', async () => {
    const { manifest } = await world.store.readManifest('uk', (await publish()).id);
    const old = '0000000001-20200101T000000Z-0001';
    await publish();
    await world.store.putManifest({ ...manifest, id: old });
    const before = [...world.store.objects.keys()];
    await apply();
    expect([...world.store.objects.keys()]).toEqual(before);
    world.uk.keeper.holder = world.eu.keeper.holder = 'eu';
    world.uk.keeper.leaseEpoch = world.eu.keeper.leaseEpoch = 2;
    await world.store.putManifest({ ...manifest, id: old, site: 'eu' });
    await world.eu.publisher().publish();
    expect(await world.store.listPublishes('eu')).toHaveLength(1);
    expect(await world.store.listPublishes('uk')).toContain(old);
  });
});

describe('trap 10: recovery with the wrong priority empties the collection', () => {
  it('always says priority=snapshot', async () => {
    await publish();
    await apply();
    expect(world.eu.qdrant.count('docs')).toBe(50);
  });
});

describe('trap 11: a restore that returns true may have skipped shards', () => {
  it('refuses the result when points are missing after it', async () => {
    const { id } = await publish();
    await tamper(id, (manifest) => {
      for (const collection of manifest.collections) collection.pointsMin = collection.pointsMax = 51;
    });
    await expect(apply()).rejects.toMatchObject({
      code: 'RESTORE_UNVERIFIED',
      message: expect.stringContaining('51 points were published, 50 are here'),
    });
    expect(world.eu.ledger.state.applying?.id).toBe(id);
    expect(world.eu.ledger.state.applied).toBeNull();
  });

  it('refuses to publish a collection with a shard that is not active', async () => {
    world.uk.qdrant.intercept = (_request, response, path) => {
      if (path !== '/collections/docs/cluster') return false;
      const shard = { shard_id: 0, points_count: 0, state: 'Dead' };
      response.end(JSON.stringify({ result: { local_shards: [shard], remote_shards: [] } }));
      return true;
    };
    await expect(publish()).rejects.toMatchObject({ code: 'SNAPSHOT_UNFIT' });
    expect(await world.store.readLatest()).toBeNull();
  });
});

describe('trap 12: aliases and payload indexes are not in snapshots', () => {
  it('restores both, and removes those that are no longer there', async () => {
    await publish();
    world.eu.qdrant.create('docs', 2);
    world.eu.qdrant.aliases.set('stale', 'docs');
    world.eu.qdrant.collection('docs').schema['stale'] = { data_type: 'keyword', points: 0 };
    await apply();
    expect([...world.eu.qdrant.aliases]).toEqual([['current', 'docs']]);
    expect(Object.keys(world.eu.qdrant.collection('docs').schema)).toEqual(['n']);
  });
});

describe('trap 14: only the same version of Qdrant restores', () => {
  it('refuses before touching anything when the versions differ', async () => {
    await publish();
    world.eu.qdrant.version = '1.19.0';
    await expect(apply()).rejects.toMatchObject({ code: 'QDRANT_VERSION' });
    expect(touches(world.eu.qdrant.requests)).toEqual([]);
    expect(world.eu.ledger.state.applying).toBeNull();
  });
});

describe('trap 16: the store gives no checksum of its own', () => {
  it('refuses a part that is not what was published, before touching anything', async () => {
    await publish();
    world.store.onRead = (key, body) =>
      key.endsWith('.snapshot') ? Buffer.concat([body.subarray(0, body.length - 1), Buffer.from('x')]) : body;
    await expect(apply()).rejects.toMatchObject({ code: 'PART_CORRUPT' });
    expect(touches(world.eu.qdrant.requests)).toEqual([]);
    expect(world.eu.ledger.state.applying).toBeNull();
  });

  it('refuses a part that ends early although its stream ended cleanly', async () => {
    await publish();
    world.store.onRead = (key, body) =>
      key.endsWith('.snapshot') ? body.subarray(0, body.length >> 1) : body;
    await expect(apply()).rejects.toMatchObject({ code: 'PART_CORRUPT' });
  });

  it('does not publish when what came from Qdrant is not what it announced', async () => {
    world.uk.qdrant.intercept = (request, response, path) => {
      if (request.method !== 'GET' || !path.endsWith('.snapshot')) return false;
      response.end('[]');
      return true;
    };
    await expect(publish()).rejects.toMatchObject({ code: 'SNAPSHOT_UNFIT' });
    expect(await world.store.readLatest()).toBeNull();
    expect(world.uk.qdrant.snapshotCount()).toBe(0);
  });

  it('refuses staged parts that have changed on disk since', async () => {
    const { id } = await publish();
    await apply();
    const folder = join(world.eu.folder, 'snapshots', 'staging', id, 'docs');
    for (const file of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, file));
      bytes[0] = 0;
      writeFileSync(join(folder, file), bytes);
    }
    const staging = world.eu.staging();
    await expect(staging.verify(await manifestOf(id))).rejects.toMatchObject({ code: 'PART_CORRUPT' });
  });
});

describe('trap 17: disk', () => {
  it('refuses before fetching when there is too little room', async () => {
    await publish();
    world.eu.freeBytes = () => Promise.resolve(1_000_000);
    await expect(apply()).rejects.toMatchObject({ code: 'DISK_SPACE' });
    expect(touches(world.eu.qdrant.requests)).toEqual([]);
  });

  it('leaves neither snapshots in Qdrant nor more than the last good publish in the staging folder', async () => {
    await publish();
    await apply();
    mkdirSync(join(world.eu.folder, 'snapshots', 'staging', 'litter'), { recursive: true });
    const { id } = await publish();
    await apply();
    expect(readdirSync(join(world.eu.folder, 'snapshots', 'staging'))).toEqual([id]);
    expect(world.uk.qdrant.snapshotCount()).toBe(0);
  });
});

describe('trap 30: the sync must not overwrite the good side', () => {
  it('does not publish without the lease', async () => {
    world.uk.keeper.holder = 'eu';
    await expect(publish()).rejects.toMatchObject({ code: 'NOT_HOLDER' });
    expect(world.uk.qdrant.requests).toEqual([]);
  });

  it('does not move the pointer when the lease is lost while publishing', async () => {
    const first = await publish();
    world.uk.publishStep = async (step) => {
      if (step === 'manifest-stored') world.uk.keeper.leaseEpoch = 2;
    };
    await expect(publish()).rejects.toMatchObject({ code: 'NOT_HOLDER' });
    expect((await world.store.readLatest())?.pointer.publishId).toBe(first.id);
  });

  it('does not move the pointer when another publisher moved it meanwhile', async () => {
    world.uk.publishStep = async (step) => {
      if (step !== 'manifest-stored') return;
      await world.store.moveLatest({ publishId: 'x', site: 'eu', epoch: 2 }, null);
    };
    await expect(publish()).rejects.toMatchObject({ code: 'PUBLISH_CONFLICT' });
    expect((await world.store.readLatest())?.pointer.site).toBe('eu');
  });

  it('does not publish over a publish of a newer epoch', async () => {
    await world.store.moveLatest({ publishId: 'x', site: 'eu', epoch: 2 }, null);
    await expect(publish()).rejects.toMatchObject({ code: 'PUBLISH_CONFLICT' });
  });

  it.each([
    ['this site holds the lease', 'IS_HOLDER', () => (world.eu.keeper.holder = 'eu')],
    [
      'its own lease has just expired',
      'IS_HOLDER',
      () => ((world.eu.keeper.holder = 'eu'), (world.eu.keeper.expired = true)),
    ],
    ['the lease was never seen', 'LEASE_UNKNOWN', () => (world.eu.keeper.holder = null)],
    ['a third site holds the lease', 'NOT_FROM_HOLDER', () => (world.eu.keeper.holder = 'us')],
    ['the holder has a newer epoch', 'OTHER_EPOCH', () => (world.eu.keeper.leaseEpoch = 2)],
    ['this site is fenced', 'FENCED', () => (world.eu.keeper.siteState = 'fenced')],
    ['this site is claiming the lease', 'CLAIM_PENDING', () => (world.eu.keeper.claim = true)],
  ])('does not apply when %s', async (_when, code, arrange) => {
    await publish();
    arrange();
    await expect(apply()).rejects.toMatchObject({ code });
    expect(touches(world.eu.qdrant.requests)).toEqual([]);
    expect(world.eu.ledger.state.applying).toBeNull();
  });

  it('does not apply its own publish', async () => {
    await publish();
    world.uk.keeper.holder = 'eu';
    await expect(world.uk.applier().apply()).rejects.toMatchObject({ code: 'OWN_PUBLISH' });
  });

  it('does not apply a publish older than what is here', async () => {
    const first = await publish();
    const second = await publish();
    await apply();
    const latest = await world.store.readLatest();
    await world.store.moveLatest({ publishId: first.id, site: 'uk', epoch: 1 }, latest?.token ?? null);
    await expect(apply()).rejects.toMatchObject({ code: 'OLDER' });
    expect(world.eu.ledger.state.applied?.id).toBe(second.id);
  });

  it('stops touching at once when the lease moves while it applies', async () => {
    await publish();
    world.eu.applyStep = async (step) => {
      if (step === 'shard-recovered') world.eu.keeper.holder = 'eu';
    };
    await expect(apply()).rejects.toMatchObject({ code: 'APPLY_INTERRUPTED' });
    const recoveries = world.eu.qdrant.requests.filter((line) => line.endsWith('/recover'));
    expect(recoveries).toHaveLength(1);
    expect(world.eu.ledger.state.applying).not.toBeNull();
  });
});

describe('a promotion while a publish is being applied', () => {
  it('ends a fetch at once, however long the store takes, and leaves what is here promotable', async () => {
    const first = await publish();
    await apply();
    await publish();
    const applier = world.eu.applier();
    const ended = new Promise<unknown>((resolve) => {
      world.store.onFetch = (signal) => {
        const hanging = new Promise<never>((_never, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason as Error)),
        );
        setImmediate(() => applier.stopUnlessTouching('this site is being promoted'));
        return hanging;
      };
      applier.apply().catch(resolve);
    });
    expect(await ended).toMatchObject({ code: 'APPLY_INTERRUPTED' });
    expect(world.eu.ledger.state.applied?.id).toBe(first.id);
    expect(world.eu.ledger.state.applying).toBeNull();
  });

  it('lets what is already being put into Qdrant come to its end', async () => {
    const { id } = await publish();
    const applier = world.eu.applier();
    world.eu.applyStep = async (step) => {
      if (step === 'shard-recovered') applier.stopUnlessTouching('this site is being promoted');
    };
    expect((await applier.apply()).id).toBe(id);
    expect(world.eu.ledger.state.applied?.id).toBe(id);
  });
});

describe('trap 31: a hash is not a restore', () => {
  it.each([
    [
      'a point has other content',
      (manifest: Manifest) => (sampleOf(manifest).digest = '0'.repeat(64)),
      'has other content',
    ],
    ['a point is missing', (manifest: Manifest) => (sampleOf(manifest).id = 4711), 'point 4711 is missing'],
    [
      'a known question has another answer',
      (manifest: Manifest) => (sampleOf(manifest).query = { vector: [9, 0, 0, 0], using: null }),
      'does not find it',
    ],
  ])('refuses the result when %s', async (_what, change, message) => {
    const { id } = await publish();
    await tamper(id, change);
    await expect(apply()).rejects.toThrow(message);
    expect(world.eu.ledger.state.applied).toBeNull();
  });

  it('refuses the result when an alias is missing', async () => {
    await publish();
    world.eu.qdrant.intercept = (_request, response, path) => {
      if (path !== '/collections/aliases') return false;
      response.end('{"result":true}');
      return true;
    };
    await expect(apply()).rejects.toThrow('aliases should be [current → docs] and are []');
  });

  it('goes back to the last good publish, whole, when the new one does not verify', async () => {
    const good = await publish();
    await apply();
    world.uk.qdrant.fill('docs', 50, 60);
    const bad = await publish();
    await tamper(bad.id, (manifest) => (sampleOf(manifest).digest = '0'.repeat(64)));
    const applier = world.eu.applier();
    await expect(applier.apply()).rejects.toMatchObject({ code: 'RESTORE_UNVERIFIED' });
    expect(world.eu.qdrant.count('docs')).toBe(50);
    expect(world.eu.ledger.state.applying).toBeNull();
    expect(world.eu.ledger.state.applied?.id).toBe(good.id);
    const touched = touches(world.eu.qdrant.requests).length;
    await expect(applier.apply()).rejects.toMatchObject({ code: 'REFUSED_BEFORE' });
    expect(touches(world.eu.qdrant.requests)).toHaveLength(touched);
  });

  it('does not take an empty listing for a good one', async () => {
    await publish();
    world.eu.qdrant.onRequest = (method, path) => {
      // Everything recovered vanishes again.
      if (method === 'POST' && path.endsWith('/count')) world.eu.qdrant.collections.clear();
    };
    await expect(apply()).rejects.toBeDefined();
    expect(world.eu.ledger.state.applied).toBeNull();
  });
});

describe('snapshot names have a resolution of one second', () => {
  it('waits between two snapshots of one shard', async () => {
    const { SnapshotNames } = await import('./capture');
    let nowMs = 5_000;
    const names = new SnapshotNames({ bootId: 'b', monotonicMs: () => nowMs, wallIso: () => '' }, 50);
    const shard = { shard_id: 0, points_count: 0, state: 'Active' };
    names.cut('docs', shard);
    const waited = jest.spyOn(globalThis, 'setTimeout');
    const fresh = names.fresh([{ name: 'docs', shards: [shard] }]);
    expect(waited).toHaveBeenCalledWith(expect.anything(), 50);
    await fresh;
    nowMs += 50;
    waited.mockClear();
    await names.fresh([{ name: 'docs', shards: [shard] }]);
    expect(waited).not.toHaveBeenCalled();
    waited.mockRestore();
  });
});

function sampleOf(manifest: Manifest) {
  const sample = manifest.collections[0]?.samples[0];
  if (sample === undefined) throw new Error('the manifest has no sample');
  return sample;
}

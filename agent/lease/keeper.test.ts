import { LeaseKeeper } from './keeper';
import { MARGIN_MS, startedPair, stopPair, aPair, TTL_MS, type Pair, type TestSite } from './testing/pair';

let pair: Pair;
const by = { by: 'alex', reason: 'drill' };

async function begin(switching: Parameters<typeof startedPair>[0] = {}): Promise<Pair> {
  pair = await startedPair(switching);
  return pair;
}

afterEach(() => stopPair(pair));

const causes = (): unknown[] =>
  pair.store.historyNow().map((entry) => [entry.epoch, entry.holder, entry.cause]);

function loseSite(site: TestSite): void {
  site.seesWitness = false;
  site.seesPeer = false;
}

describe('a new pair', () => {
  it('gives the first lease to the initial holder when there is none', async () => {
    const { uk, eu } = await begin();
    expect([uk.keeper.state(), uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual(['active', true, 1]);
    expect([eu.keeper.state(), eu.keeper.isWritable(), eu.keeper.epoch()]).toEqual(['standby', false, 1]);
    expect(eu.keeper.lease()).toEqual({ epoch: 1, holder: 'uk' });
    expect(causes()).toEqual([[1, 'uk', 'bootstrap']]);
    expect(eu.told('alert')).toEqual([]);
  });

  it('gives no lease when the initial holder has not started', async () => {
    pair = aPair();
    pair.eu.keeper.start();
    await pair.clock.advance(10 * TTL_MS);
    expect(pair.store.readNow()).toBe('absent');
  });

  it('does not begin a new count when a lease that was known is gone', async () => {
    const { uk, clock, store } = await begin();
    await uk.keeper.stop();
    store.put(null);
    await clock.advance(10 * TTL_MS);
    await uk.restart();
    await clock.advance(10 * TTL_MS);
    expect(store.readNow()).toBe('absent');
    expect(uk.keeper.isWritable()).toBe(false);
    expect(uk.told('alert').join()).toContain('LEASE_MISSING');
  });
});

describe('a holder', () => {
  it('trap 26: is not writable any more before its lease runs out, even when the process was stopped', async () => {
    const { uk, clock } = await begin();
    const left = uk.keeper.writableForSeconds() ?? 0;
    expect(left).toBeGreaterThan((TTL_MS * 2) / 3 / 1000 - 1.1);
    clock.pass(left * 1000 + 1);
    expect(uk.keeper.isWritable()).toBe(false);
    expect(uk.keeper.state()).toBe('fenced');
    expect(left * 1000).toBeLessThan(TTL_MS - MARGIN_MS);
  });

  it('trap 27: goes on when only the witness is lost and the peer promises', async () => {
    const { uk, eu, clock } = await begin();
    uk.seesWitness = false;
    eu.seesWitness = false;
    for (let i = 0; i < 30; i += 1) {
      await clock.advance(TTL_MS / 3);
      expect(uk.keeper.isWritable()).toBe(true);
    }
    expect(uk.told('alert').join()).toContain('FAILSAFE');
    uk.seesWitness = eu.seesWitness = true;
    await clock.advance(TTL_MS);
    expect([uk.keeper.state(), uk.keeper.epoch()]).toEqual(['active', 1]);
  });

  it('fences when both witness and peer are lost, and goes on with the same epoch when they come back', async () => {
    const { uk, eu, clock } = await begin({ mode: 'manual' });
    loseSite(uk);
    await clock.advance(TTL_MS);
    expect([uk.keeper.isWritable(), uk.keeper.state()]).toEqual([false, 'fenced']);
    await clock.advance(3 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(false);
    uk.seesWitness = uk.seesPeer = true;
    await clock.advance(TTL_MS);
    expect([uk.keeper.state(), uk.keeper.epoch()]).toEqual(['active', 1]);
  });

  it('goes on with the same epoch when its process is restarted', async () => {
    const { uk, clock } = await begin();
    await uk.restart();
    await clock.advance(1000);
    expect([uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual([true, 1]);
  });

  it('does not go on when it is restarted while the witness is away, whatever the peer promises', async () => {
    const { uk, clock } = await begin();
    uk.seesWitness = false;
    await uk.restart();
    await clock.advance(TTL_MS);
    expect([uk.keeper.isWritable(), uk.keeper.state()]).toEqual([false, 'unknown']);
  });

  it('does not take its own lease for its own when its disk is new', async () => {
    const { uk, eu, clock } = await begin();
    await uk.keeper.stop();
    uk.memory.value = null;
    await uk.restart();
    await clock.advance(TTL_MS / 2);
    expect(uk.keeper.isWritable()).toBe(false);
    expect(uk.told('alert').join()).toContain('LEASE_NOT_OURS');
    await clock.advance(2 * TTL_MS);
    expect([eu.keeper.isWritable(), eu.keeper.epoch()]).toEqual([true, 2]);
  });

  it('refuses writes while they are held, keeps the lease, and goes on when released', async () => {
    const { uk, clock } = await begin();
    const release = uk.keeper.holdWrites('cutting snapshots');
    await clock.advance(3 * TTL_MS);
    expect([uk.keeper.isWritable(), uk.keeper.state()]).toEqual([false, 'active']);
    release();
    expect(uk.keeper.isWritable()).toBe(true);
  });

  it('trap 29: shows that it is unprotected when the peer cannot take over', async () => {
    const { uk, eu, clock } = await begin();
    eu.promotable = false;
    await clock.advance(TTL_MS);
    expect(uk.keeper.state()).toBe('unprotected');
    expect(uk.keeper.peer()).toEqual({ health: 'healthy', state: 'standby', promotable: false });
    eu.promotable = true;
    await clock.advance(TTL_MS);
    eu.seesPeer = false;
    await clock.advance(2 * TTL_MS);
    expect(uk.keeper.state()).toBe('unprotected');
    expect(uk.keeper.peer().health).toBe('failing');
  });

  it('is not writable at once when it is stopped', async () => {
    const { uk } = await begin();
    await uk.keeper.stop();
    expect(uk.keeper.isWritable()).toBe(false);
    await expect(uk.keeper.promote(by)).rejects.toMatchObject({ code: 'NOT_STARTED' });
  });
});

describe('a lost holder', () => {
  it('is followed by the standby once its lease has run out, and not before it is fenced', async () => {
    const { uk, eu, clock } = await begin();
    loseSite(uk);
    for (let waited = 0; !eu.keeper.isWritable(); waited += 50) {
      expect(waited).toBeLessThan(2 * TTL_MS);
      await clock.advance(50);
      expect(uk.keeper.isWritable() && eu.keeper.isWritable()).toBe(false);
    }
    await clock.advance(TTL_MS);
    expect(causes()).toEqual([
      [1, 'uk', 'bootstrap'],
      [2, 'eu', 'expired'],
    ]);
    expect(pair.store.historyNow()[1]).toMatchObject({ previousHolder: 'uk', dataAgeSeconds: 42 });
    const kinds = eu.events.map((event) => event.kind).filter((kind) => kind !== 'state');
    expect(kinds).toEqual(['started', 'lease-expired-seen', 'claim-decided', 'claimed']);
    expect(uk.told('fenced')).toHaveLength(1);
  });

  it('trap 22: stays fenced when it comes back, and may take over again only when re-protected', async () => {
    const { uk, eu, clock } = await begin();
    loseSite(uk);
    await clock.advance(3 * TTL_MS);
    uk.seesWitness = uk.seesPeer = true;
    await clock.advance(TTL_MS);
    expect([uk.keeper.state(), uk.keeper.lineage()?.code]).toEqual(['fenced', 'FENCED']);
    loseSite(eu);
    await clock.advance(5 * TTL_MS);
    expect([uk.keeper.state(), uk.keeper.isWritable()]).toEqual(['fenced', false]);
    eu.seesWitness = eu.seesPeer = true;
    await clock.advance(TTL_MS);

    await uk.keeper.beginReprotect();
    expect([uk.keeper.state(), uk.memory.value?.reprotecting]).toEqual(['re-protecting', true]);
    const publish = { id: 'p', site: 'eu', epoch: 1, points: 1, bytes: 1 };
    await expect(uk.keeper.markReprotected(publish)).rejects.toMatchObject({ code: 'PUBLISH_TOO_OLD' });
    await uk.keeper.markReprotected({ ...publish, epoch: 2 });
    expect([uk.keeper.state(), uk.keeper.lineage()]).toEqual(['standby', null]);
    loseSite(eu);
    await clock.advance(3 * TTL_MS);
    expect([uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual([true, 3]);
  });

  it('trap 28: is not followed when the data are too old, until a person accepts the loss by name', async () => {
    const { uk, eu, clock } = await begin();
    eu.promotable = false;
    loseSite(uk);
    await clock.advance(5 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(false);
    expect(eu.told('alert').join()).toContain('DATA_TOO_OLD');
    await expect(eu.keeper.promote(by)).rejects.toMatchObject({ code: 'DATA_TOO_OLD' });
    const promoted = eu.keeper.promote({ ...by, acceptDataLoss: true });
    await clock.advance(TTL_MS);
    expect(await promoted).toEqual({ epoch: 2, holder: 'eu' });
    expect(pair.store.historyNow()[1]).toMatchObject({
      cause: 'promoted',
      by: 'alex',
      acceptedDataLoss: { by: 'alex', reason: 'drill' },
    });
  });

  it('waits for a person in manual mode', async () => {
    const { uk, eu, clock } = await begin({ mode: 'manual' });
    loseSite(uk);
    await clock.advance(5 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(false);
    expect(eu.told('alert').join()).toContain('CLAIM_BLOCKED_MANUAL');
    const promoted = eu.keeper.promote(by);
    await clock.advance(TTL_MS);
    expect(await promoted).toEqual({ epoch: 2, holder: 'eu' });
  });

  it('is not followed when the intent of the claim cannot be written to disk', async () => {
    const { uk, eu, clock } = await begin();
    eu.memory.fails = true;
    loseSite(uk);
    await clock.advance(4 * TTL_MS);
    expect([eu.keeper.isWritable(), eu.keeper.epoch()]).toEqual([false, 1]);
    expect(eu.told('alert').join()).toContain('STATE_NOT_SAVED');
    eu.memory.fails = false;
    await clock.advance(TTL_MS);
    expect([eu.keeper.isWritable(), eu.keeper.epoch()]).toEqual([true, 2]);
  });

  it('trap 24: is not followed within the cooldown, nor after too many switches in an hour', async () => {
    const { uk, eu, clock } = await begin({ cooldownSeconds: 60, maxSwitchesPerHour: 1 });
    await clock.advance(60_000);
    loseSite(uk);
    await clock.advance(3 * TTL_MS);
    expect(eu.keeper.epoch()).toBe(2);
    uk.seesWitness = uk.seesPeer = true;
    await clock.advance(TTL_MS);
    await uk.keeper.beginReprotect();
    await uk.keeper.markReprotected({ id: 'p', site: 'eu', epoch: 2, points: 1, bytes: 1 });
    loseSite(eu);
    await clock.advance(3 * TTL_MS);
    expect(uk.told('alert').join()).toContain('CLAIM_BLOCKED_COOLDOWN');
    await clock.advance(60_000);
    expect(uk.told('alert').join()).toContain('CLAIM_BLOCKED_TOO_MANY_SWITCHES');
    expect(uk.keeper.isWritable()).toBe(false);
    clock.pass(3_600_000); // an hour of ticks would show nothing more
    await clock.advance(TTL_MS);
    expect([uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual([true, 3]);
  });
});

describe('a promotion', () => {
  it('is refused when the holder is alive', async () => {
    const { eu, clock } = await begin();
    const promoted = expect(eu.keeper.promote(by)).rejects.toMatchObject({ code: 'HOLDER_ALIVE' });
    await clock.advance(3 * TTL_MS);
    await promoted;
    expect(eu.keeper.epoch()).toBe(1);
  });

  it('ends the promises to a holder that has lost the witness', async () => {
    const { uk, eu, clock } = await begin();
    uk.seesWitness = false;
    await clock.advance(3 * TTL_MS);
    expect(uk.keeper.isWritable()).toBe(true);
    const promoted = eu.keeper.promote(by);
    await clock.advance(2 * TTL_MS);
    expect(await promoted).toEqual({ epoch: 2, holder: 'eu' });
    expect(uk.keeper.isWritable()).toBe(false);
  });

  it('answers at once when the site is active already', async () => {
    const { uk } = await begin();
    expect(await uk.keeper.promote(by)).toEqual({ epoch: 1, holder: 'uk' });
  });

  it('gives up in bounded time when the witness cannot be reached', async () => {
    const { eu, clock } = await begin();
    loseSite(eu);
    const promoted = expect(eu.keeper.promote(by)).rejects.toMatchObject({ code: 'PROMOTION_TIMED_OUT' });
    await clock.advance(5 * TTL_MS);
    await promoted;
  });
});

describe('a hand-over', () => {
  it('moves the service without loss when planned, and the old holder is a standby at once', async () => {
    const { uk, eu, clock } = await begin();
    const writable: boolean[] = [];
    uk.onSync = () => writable.push(uk.keeper.isWritable());
    const switched = uk.keeper.switch(by);
    await clock.advance(TTL_MS);
    expect(await switched).toEqual({ epoch: 2, holder: 'eu' });
    expect(writable).toEqual([true, false]); // the first sync lets writes go on, the last one does not
    expect([uk.keeper.state(), uk.keeper.lineage()]).toEqual(['standby', null]);
    expect([eu.keeper.state(), eu.keeper.isWritable()]).toEqual(['active', true]);
    expect(pair.store.historyNow()[1]).toMatchObject({
      cause: 'handover-planned',
      by: 'alex',
      dataAgeSeconds: 0,
    });
  });

  it('puts the writes back when the last sync of a planned switch fails', async () => {
    const { uk, clock } = await begin();
    uk.onSync = () => {
      if (!uk.keeper.isWritable()) uk.sync = null;
    };
    const switched = expect(uk.keeper.switch(by)).rejects.toMatchObject({ code: 'FINAL_SYNC_FAILED' });
    await clock.advance(TTL_MS);
    await switched;
    expect([uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual([true, 1]);
  });

  it('is refused at a site that is not the holder', async () => {
    const { eu } = await begin();
    await expect(eu.keeper.switch(by)).rejects.toMatchObject({ code: 'NOT_HOLDER' });
  });

  it('is refused when the peer is not promotable', async () => {
    const { uk, eu, clock } = await begin();
    eu.promotable = false;
    const switched = expect(uk.keeper.switch(by)).rejects.toMatchObject({ code: 'PEER_NOT_PROMOTABLE' });
    await clock.advance(TTL_MS);
    await switched;
    expect(uk.keeper.isWritable()).toBe(true);
  });

  it('is decided by a holder whose canary keeps failing while the peer is promotable', async () => {
    const { uk, eu, clock } = await begin();
    uk.canary = 'failing';
    await clock.advance(TTL_MS);
    expect([eu.keeper.isWritable(), eu.keeper.epoch()]).toEqual([true, 2]);
    expect(causes()[1]).toEqual([2, 'eu', 'handover-sick']);
    expect(uk.told('handed-over')).toHaveLength(1);
  });

  it('waits for a restarted engine, without alerting, and is decided when that did not help', async () => {
    const { uk, eu, clock } = await begin();
    uk.canary = 'failing';
    uk.recovering = true;
    await clock.advance(3 * TTL_MS);
    expect([uk.keeper.isWritable(), eu.keeper.epoch()]).toEqual([true, 1]);
    expect(uk.told('alert')).toEqual([]);
    uk.recovering = false;
    await clock.advance(TTL_MS);
    expect([eu.keeper.isWritable(), eu.keeper.epoch()]).toEqual([true, 2]);
  });

  it('is not decided when the restarted engine came back', async () => {
    const { uk, eu, clock } = await begin();
    uk.canary = 'failing';
    uk.recovering = true;
    await clock.advance(TTL_MS);
    uk.canary = 'healthy';
    uk.recovering = false;
    await clock.advance(3 * TTL_MS);
    expect([uk.keeper.isWritable(), eu.keeper.epoch()]).toEqual([true, 1]);
  });

  it('leaves a sick holder fenced when the last sync could not be had', async () => {
    const { uk, eu, clock } = await begin();
    uk.canary = 'failing';
    uk.sync = null;
    await clock.advance(2 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(true);
    expect([uk.keeper.state(), uk.keeper.lineage()?.code]).toEqual(['fenced', 'FENCED']);
  });

  it('is left to a person in manual mode, and not done when the peer could not serve', async () => {
    const { uk, eu, clock } = await begin({ mode: 'manual' });
    uk.canary = 'failing';
    await clock.advance(3 * TTL_MS);
    expect(uk.keeper.isWritable()).toBe(true);
    expect(uk.told('alert').join()).toContain('SICK_HOLDER');
    expect(eu.keeper.epoch()).toBe(1);
  });
});

describe('a lease that is not a lease', () => {
  it('is told, never overwritten, and outlived by the holder with the promises of its peer', async () => {
    const { uk, clock, store } = await begin();
    store.put('somebody edited this');
    await clock.advance(5 * TTL_MS);
    expect(() => store.readNow()).toThrow('is not');
    expect(uk.keeper.isWritable()).toBe(true);
    expect([uk.keeper.witness(), uk.told('alert').join()]).toEqual([
      'unknown',
      expect.stringContaining('LEASE_CORRUPT'),
    ]);
    store.put(null);
    await clock.advance(TTL_MS);
    expect(store.readNow()).toMatchObject({ lease: { epoch: 1, holder: 'uk' } });
    expect(uk.keeper.writableForSeconds()).toBeGreaterThan(2);
  });

  it('is never claimed', async () => {
    const { uk, eu, clock, store } = await begin();
    loseSite(uk);
    store.put('{}');
    await clock.advance(5 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(false);
    expect(() => store.readNow()).toThrow();
  });

  it('is one that has gone back in time', async () => {
    const { uk, eu, clock, store } = await begin();
    const old = store.readNow();
    loseSite(uk);
    await clock.advance(3 * TTL_MS);
    expect(eu.keeper.epoch()).toBe(2);
    store.put(JSON.stringify(old === 'absent' ? {} : old.lease));
    loseSite(eu);
    await clock.advance(3 * TTL_MS);
    eu.seesWitness = true;
    await clock.advance(3 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(false);
    expect(eu.told('alert').join()).toContain('LEASE_WENT_BACK');
    expect(store.readNow()).toMatchObject({ lease: { epoch: 1 } });
  });
});

describe('a re-protection', () => {
  it('is refused at the holder', async () => {
    const { uk } = await begin();
    await expect(uk.keeper.beginReprotect()).rejects.toMatchObject({ code: 'REPROTECT_REFUSED' });
  });

  it('changes nothing at a site that could take over, since the lease may be on its way to it', async () => {
    const { uk, eu, clock } = await begin();
    await eu.keeper.beginReprotect();
    expect([eu.keeper.state(), eu.keeper.lineage()]).toEqual(['standby', null]);
    loseSite(uk);
    await clock.advance(3 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(true);
  });

  it('is refused while the site is being promoted', async () => {
    const { uk, eu, clock } = await begin();
    loseSite(uk);
    const promoted = eu.keeper.promote(by);
    await expect(eu.keeper.beginReprotect()).rejects.toMatchObject({ code: 'REPROTECT_REFUSED' });
    await clock.advance(3 * TTL_MS);
    expect(await promoted).toEqual({ epoch: 2, holder: 'eu' });
  });

  it('counts as unfinished when the process is restarted in its midst', async () => {
    const { eu, clock } = await begin();
    eu.promotable = false;
    await eu.keeper.beginReprotect();
    await eu.restart();
    await clock.advance(TTL_MS);
    expect([eu.keeper.state(), eu.keeper.lineage()?.code]).toEqual(['re-protecting', 'REPROTECTING']);
  });
});

describe('a keeper whose memory cannot be read', () => {
  it('takes no part and says so', async () => {
    const { uk, eu, clock } = await begin();
    const events: string[] = [];
    const keeper = new LeaseKeeper({
      spec: eu.spec,
      store: pair.store,
      peer: {
        promise: () => Promise.reject(new Error()),
        wake: () => Promise.resolve(),
        status: () => Promise.reject(new Error()),
      },
      local: {
        promotable: () => ({ promotable: true, site: 'eu', reasons: [] }),
        canary: () => ({ health: 'healthy', since: 0 }),
        recovering: () => false,
        dataAgeSeconds: () => 0,
        finalSync: () => Promise.resolve(null),
      },
      clock,
      state: { load: () => Promise.reject(new Error('spoilt')), save: () => Promise.resolve() },
      onEvent: (event) => void events.push(event.detail),
    });
    keeper.start();
    await uk.keeper.stop();
    await eu.keeper.stop();
    await clock.advance(5 * TTL_MS);
    expect([keeper.state(), keeper.isWritable()]).toEqual(['unknown', false]);
    expect(keeper.onPromise({ from: 'uk', epoch: 1 }).granted).toBe(false);
    expect(events.join()).toContain('STATE_NOT_READ');
    await keeper.stop();
  });
});

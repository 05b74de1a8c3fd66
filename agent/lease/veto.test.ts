import { MARGIN_MS, startedPair, stopPair, TTL_MS, type Pair, type TestSite } from './testing/pair';

const GRACE_MS = 4000;
let pair: Pair;
afterEach(() => stopPair(pair));

const begin = async (mode: 'veto' | 'automatic' | 'manual' = 'veto'): Promise<Pair> => {
  pair = await startedPair({ mode, vetoSeconds: GRACE_MS / 1000 });
  return pair;
};
const no = (forSeconds: number) => ({ by: 'ada', reason: 'maintenance of the network', forSeconds });

function lose(site: TestSite): void {
  site.seesWitness = false;
  site.seesPeer = false;
}

describe('mode veto: a lost holder', () => {
  it('is told of first, and silence promotes', async () => {
    const { uk, eu, clock } = await begin();
    lose(uk);
    await clock.advance(1.3 * TTL_MS);
    expect(eu.told('switch-proposed')).toEqual([
      'uk has not renewed its lease in time; eu takes over in 4 s unless somebody vetoes it',
    ]);
    expect(eu.keeper.switching()).toMatchObject({
      mode: 'veto',
      proposal: { kind: 'claim', to: 'eu', decidesInSeconds: expect.any(Number) as number },
    });
    expect(eu.keeper.isWritable()).toBe(false);
    await clock.advance(GRACE_MS);
    expect(eu.keeper.isWritable()).toBe(true);
    expect(eu.keeper.switching()).toEqual({ mode: 'veto' });
    expect(pair.store.historyNow().at(-1)?.reason).toBe(
      'uk did not renew in time, and nobody vetoed it in 4 s',
    );
  });

  it('that renews again is left alone, and told of anew the next time', async () => {
    const { uk, eu, clock } = await begin();
    uk.seesWitness = false;
    uk.seesPeer = false;
    await clock.advance(1.3 * TTL_MS);
    uk.seesWitness = uk.seesPeer = true;
    await clock.advance(2 * TTL_MS + GRACE_MS);
    expect([uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual([true, 1]);
    expect(eu.keeper.switching()).toEqual({ mode: 'veto' });
    lose(uk);
    await clock.advance(1.3 * TTL_MS);
    expect(eu.told('switch-proposed')).toHaveLength(2);
    expect(eu.keeper.isWritable()).toBe(false);
  });

  it('can be promoted away from at once by a person', async () => {
    const { uk, eu, clock } = await begin();
    lose(uk);
    await clock.advance(1.3 * TTL_MS);
    const promoted = eu.keeper.promote({ by: 'ada', reason: 'the region is gone' });
    await clock.advance(TTL_MS / 5);
    expect(await promoted).toEqual({ epoch: 2, holder: 'eu' });
  });
});

describe('a veto', () => {
  it('is recorded with a name and holds for its time; then the switch is told anew', async () => {
    const { uk, eu, clock } = await begin();
    lose(uk);
    await clock.advance(1.3 * TTL_MS);
    await eu.keeper.veto(no(30));
    await clock.advance(20_000);
    expect(eu.keeper.isWritable()).toBe(false);
    expect(eu.keeper.switching().veto).toMatchObject({ by: 'ada', reason: 'maintenance of the network' });
    expect(eu.told('vetoed')).toEqual(['by ada for 30 s: maintenance of the network']);
    expect(eu.told('alert').join()).toContain('CLAIM_BLOCKED_VETOED');
    await clock.advance(10_000 + TTL_MS / 5);
    expect(eu.told('switch-proposed')).toHaveLength(2);
    await clock.advance(GRACE_MS + TTL_MS / 5);
    expect(eu.keeper.isWritable()).toBe(true);
  });

  it('holds in mode automatic too, outlives a restart, and can be lifted', async () => {
    const { uk, eu, clock } = await begin('automatic');
    await eu.keeper.veto(no(600));
    lose(uk);
    await clock.advance(2 * TTL_MS);
    await eu.restart();
    await clock.advance(3 * TTL_MS);
    expect(eu.keeper.isWritable()).toBe(false);
    await eu.keeper.veto(no(0));
    await clock.advance(TTL_MS);
    expect(eu.keeper.isWritable()).toBe(true);
  });

  it('does not keep a person from promoting', async () => {
    const { uk, eu, clock } = await begin();
    await eu.keeper.veto(no(600));
    lose(uk);
    await clock.advance(1.3 * TTL_MS);
    const promoted = eu.keeper.promote({ by: 'bo', reason: 'the region is gone' });
    await clock.advance(TTL_MS / 5);
    expect((await promoted).holder).toBe('eu');
  });
});

describe('mode veto: a sick holder', () => {
  it('is told of first, and silence hands over', async () => {
    const { uk, eu, clock } = await begin();
    uk.canary = 'failing';
    await clock.advance(TTL_MS / 2);
    expect(uk.told('switch-proposed')).toEqual([
      'the canary of uk keeps failing; eu takes over in 4 s unless somebody vetoes it',
    ]);
    expect(uk.keeper.switching().proposal).toMatchObject({ kind: 'handover', to: 'eu' });
    await clock.advance(GRACE_MS + 2000 + MARGIN_MS + TTL_MS);
    expect(eu.keeper.isWritable()).toBe(true);
  });

  it('that recovers in time keeps the lease', async () => {
    const { uk, clock } = await begin();
    uk.canary = 'failing';
    await clock.advance(TTL_MS / 2);
    uk.canary = 'healthy';
    await clock.advance(GRACE_MS + 2 * TTL_MS);
    expect([uk.keeper.isWritable(), uk.keeper.epoch()]).toEqual([true, 1]);
    expect(uk.told('switch-step').join()).toContain('withdrawn');
  });
});

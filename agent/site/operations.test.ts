import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PublishInfo, RestoreTestVerdict } from '../../infra/contract/agent-api';
import { SkippedError } from './errors';
import { Operations } from './operations';
import type { ApplyRequest } from './snapshots/apply';
import { anchorAge } from './state/age';
import { siteClock } from './state/clock';
import { Ledger } from './state/ledger';
import { FakeKeeper } from './testing/fake-keeper';
import { scratchFolder } from './testing/scratch';

const INFO: PublishInfo = { id: 'p1', site: 'uk', epoch: 1, points: 1, bytes: 1 };
const TESTED: RestoreTestVerdict = {
  ...{ publishId: 'p0', collection: 'docs', result: 'passed', details: [] },
  ...{ points: 1, bytes: 1, seconds: 1 },
};
const clock = siteClock();

let folder: string;
let ledger: Ledger;
let keeper: FakeKeeper;
let published: boolean[];
let applied: ApplyRequest[];
let stops: string[];
let publishWork: () => Promise<PublishInfo>;
let applyWork: () => Promise<PublishInfo>;
let peerWork: (id: string) => Promise<PublishInfo>;
let testWork: () => Promise<RestoreTestVerdict>;
let operations: Operations;

beforeEach(async () => {
  folder = mkdtempSync(join(scratchFolder(), 'operations-'));
  ledger = await Ledger.open(join(folder, 'ledger.json'));
  keeper = new FakeKeeper('uk');
  published = [];
  applied = [];
  stops = [];
  publishWork = async () => {
    await ledger.update({ published: { ...INFO, anchor: anchorAge(clock, 0) } });
    return INFO;
  };
  applyWork = async () => INFO;
  peerWork = async () => INFO;
  testWork = async () => TESTED;
  operations = new Operations({
    site: 'uk',
    keeper,
    ledger,
    clock,
    publisher: {
      publish: (final = false) => (published.push(final), publishWork()),
      hurry: () => undefined,
    },
    applier: {
      apply: (request: ApplyRequest = {}) => (applied.push(request), applyWork()),
      stop: (reason) => void stops.push(reason),
      stopUnlessTouching: (reason) => void stops.push(`unless touching: ${reason}`),
      allow: () => void stops.push('allow'),
    },
    tester: { test: () => testWork(), stop: (reason) => void stops.push(`test: ${reason}`) },
    rewinder: { rewind: async () => INFO, resume: async () => null },
    peer: { apply: (id) => peerWork(id) },
    record: () => undefined,
  });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

it('does one thing at a time', async () => {
  const { opened, open } = gate();
  publishWork = () => opened.then(() => INFO);
  const running = operations.publish();
  expect(operations.busy).toBe('publish');
  await expect(operations.apply()).rejects.toThrow('A publish is under way');
  open();
  await running;
  await operations.apply();
  expect(operations.busy).toBeNull();
});

describe('the last sync', () => {
  it('is final only while writes are refused, and then records what is here as handed over', async () => {
    expect(await operations.finalSync(1_000)).toEqual(INFO);
    expect(published).toEqual([false]);
    expect(ledger.state.applied).toBeNull();
    keeper.writesHeld = true;
    await operations.finalSync(1_000);
    expect(published).toEqual([false, true]);
    expect(ledger.state.applied).toMatchObject({ id: 'p1', via: 'hand-over' });
  });

  it('waits for a publish under way and then publishes again', async () => {
    const { opened, open } = gate();
    const usual = publishWork;
    publishWork = () => opened.then(usual);
    const running = operations.publish();
    const sync = operations.finalSync(5_000);
    publishWork = usual;
    open();
    await running;
    expect(await sync).toEqual(INFO);
    expect(published).toHaveLength(2);
  });

  it.each([
    ['the peer cannot apply', () => (peerWork = () => Promise.reject(new Error('unreachable')))],
    ['the peer applied another publish', () => (peerWork = async () => ({ ...INFO, id: 'p0' }))],
    ['publishing fails', () => (publishWork = () => Promise.reject(new SkippedError('NOT_HOLDER', 'lost')))],
    ['the peer does not answer in time', () => (peerWork = () => new Promise(() => undefined))],
  ])('is null, and hands nothing over, when %s', async (_when, arrange) => {
    keeper.writesHeld = true;
    arrange();
    expect(await operations.finalSync(60)).toBeNull();
    expect(ledger.state.applied).toBeNull();
  });
});

describe('promoting', () => {
  it('waits for an apply to end and lets none begin meanwhile', async () => {
    const { opened, open } = gate();
    applyWork = () => opened.then(() => INFO);
    const applying = operations.apply();
    let claimed = false;
    keeper.promote = async () => {
      claimed = true;
      await expect(operations.apply()).rejects.toThrow('A switch is under way');
      return { epoch: 2, holder: 'uk' };
    };
    const promoting = operations.promote({ by: 'me', reason: 'test', acceptDataLoss: true });
    await Promise.resolve();
    expect(claimed).toBe(false);
    open();
    await applying;
    expect(await promoting).toEqual({ epoch: 2, holder: 'uk' });
    const reason = 'this site is being promoted';
    expect(stops).toEqual([`unless touching: ${reason}`, `test: ${reason}`, reason, 'allow']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a promotion', () => operations.promote({ by: 'me', reason: 'test', acceptDataLoss: true })],
    ["the holder's last publish", () => operations.applyExactly('p1')],
  ])('breaks off a restore test for %s, and nothing less', async (_what, work) => {
    let end = (): void => undefined;
    testWork = () => new Promise((_resolve, reject) => (end = () => reject(new Error('stopped'))));
    const testing = operations.testRestore();
    const ended = testing.catch((error: unknown) => error);
    await expect(operations.apply()).rejects.toMatchObject({ code: 'BUSY' });
    expect(stops).toEqual([]);
    const working = work();
    expect(stops.filter((stop) => stop.startsWith('test: '))).toHaveLength(1);
    end();
    await ended;
    await expect(working).resolves.toBeDefined();
  });

  it('refuses a second switch while one is under way', async () => {
    const { opened, open } = gate();
    keeper.switch = () => opened.then(() => ({ epoch: 2, holder: 'eu' }));
    const first = operations.switch({ by: 'me', reason: 'test' });
    await expect(operations.switch({ by: 'you', reason: 'test' })).rejects.toMatchObject({ code: 'BUSY' });
    open();
    await first;
  });
});

describe('re-protecting', () => {
  it('begins, sets the data of a fenced site aside, applies and ends', async () => {
    keeper.holder = 'eu';
    keeper.siteState = 'fenced';
    await operations.reprotect({ by: 'me', reason: 'test' });
    expect(applied).toEqual([{ reprotect: true, setAside: true }]);
    expect(keeper.reprotected).toEqual([INFO]);
  });

  it('has nothing to set aside on a site that was never active', async () => {
    keeper.holder = 'eu';
    await operations.reprotect({ by: 'me', reason: 'test' });
    expect(applied).toEqual([{ reprotect: true, setAside: false }]);
  });

  it('ends when the publish was here already', async () => {
    keeper.holder = 'eu';
    keeper.siteState = 're-protecting';
    await ledger.update({ applied: { ...INFO, anchor: anchorAge(clock, 0), via: 'apply' } });
    applyWork = () => Promise.reject(new SkippedError('ALREADY_APPLIED', 'here'));
    expect(await operations.reprotect({ by: 'me', reason: 'test' })).toEqual(INFO);
    expect(keeper.reprotected).toEqual([INFO]);
  });

  it('stays unfinished when applying fails', async () => {
    keeper.holder = 'eu';
    applyWork = () => Promise.reject(new Error('disk'));
    await expect(operations.reprotect({ by: 'me', reason: 'test' })).rejects.toThrow('disk');
    expect(keeper.reprotected).toEqual([]);
    expect(keeper.state()).toBe('re-protecting');
  });
});

it('applies exactly what the holder names, after what is under way', async () => {
  const { opened, open } = gate();
  applyWork = () => opened.then(() => INFO);
  const running = operations.apply();
  const exactly = operations.applyExactly('p1');
  applyWork = async () => INFO;
  open();
  await running;
  await exactly;
  expect(applied).toEqual([{}, { publishId: 'p1' }]);
});

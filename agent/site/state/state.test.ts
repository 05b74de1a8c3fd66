import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '../../shared/logger';
import { scratchFolder } from '../testing/scratch';
import { ageOf, anchorAge } from './age';
import { siteClock } from './clock';
import { EVENTS_KEPT, EventLog } from './event-log';
import { Ledger } from './ledger';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(scratchFolder(), 'state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('an age', () => {
  const clock = (bootId: string, monotonicMs: number) => ({
    bootId,
    monotonicMs: () => monotonicMs,
    wallIso: () => '',
  });

  it('grows by monotonic time, across restarts of the process', () => {
    const anchor = anchorAge(clock('boot', 1_000), 5);
    expect(ageOf(anchor, clock('boot', 3_500))).toBe(7.5);
  });

  it('is unknown after a reboot, and without a reading', () => {
    const anchor = anchorAge(clock('boot', 1_000), 5);
    expect(ageOf(anchor, clock('other', 3_500))).toBeNull();
    expect(ageOf(null, clock('boot', 0))).toBeNull();
  });

  it('is read from a clock that two readings can be compared on', () => {
    const [one, two] = [siteClock(), siteClock()];
    expect(two.bootId).toBe(one.bootId);
    expect(two.monotonicMs()).toBeGreaterThanOrEqual(one.monotonicMs());
  });
});

describe('the ledger', () => {
  const path = () => join(folder, 'ledger.json');

  it('has what was written when it is opened again', async () => {
    const ledger = await Ledger.open(path());
    await Promise.all([
      ledger.update({ applying: { id: 'a', site: 'uk', epoch: 1 } }),
      ledger.update({ lastGood: 'b' }),
    ]);
    expect((await Ledger.open(path())).state).toMatchObject({ applying: { id: 'a' }, lastGood: 'b' });
  });

  it('refuses a file that is no ledger rather than forgetting what Qdrant holds', async () => {
    writeFileSync(path(), '{"version":2}');
    await expect(Ledger.open(path())).rejects.toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  it('is not disturbed by a half-written successor', async () => {
    await (await Ledger.open(path())).update({ lastGood: 'b' });
    writeFileSync(`${path()}.tmp`, '{"ver');
    expect((await Ledger.open(path())).state.lastGood).toBe('b');
  });
});

describe('the event log', () => {
  const open = async () => {
    const log = new EventLog({
      site: 'uk',
      clock: siteClock(),
      logger: createLogger('test', 'silent'),
      epoch: () => 3,
      path: join(folder, 'events.jsonl'),
    });
    await log.load();
    return log;
  };

  it('keeps the newest events across a restart and a line cut short', async () => {
    const log = await open();
    for (let index = 0; index < EVENTS_KEPT + 5; index += 1) log.add('alert', `event ${index}`);
    await log.flush();
    appendFileSync(join(folder, 'events.jsonl'), '{"at":');
    const again = (await open()).list();
    expect(again.at(-1)).toMatchObject({
      kind: 'alert',
      detail: `event ${EVENTS_KEPT + 4}`,
      epoch: 3,
      site: 'uk',
    });
    expect(log.list()).toHaveLength(EVENTS_KEPT);
  });

  it('keeps one of failures that repeat, so that they do not push a switch out', async () => {
    const log = await open();
    log.add('claimed', 'epoch 2');
    for (let index = 0; index < EVENTS_KEPT * 2; index += 1) log.add('apply-failed', 'Qdrant is down');
    log.add('apply-failed', 'disk is full');
    log.add('apply-failed', 'Qdrant is down');
    expect(log.list().map((event) => event.detail)).toEqual([
      'epoch 2',
      'Qdrant is down',
      'disk is full',
      'Qdrant is down',
    ]);
  });

  it('does not let its file grow without bound', async () => {
    const log = await open();
    for (let index = 0; index < EVENTS_KEPT * 6; index += 1) log.add('alert', `x ${index}`);
    await log.flush();
    const lines = readFileSync(join(folder, 'events.jsonl'), 'utf8').trim().split('\n');
    expect(lines.length).toBeLessThanOrEqual(EVENTS_KEPT * 4);
  });
});

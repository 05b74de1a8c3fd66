import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { Drills } from './drills';
import type { SiteClock } from './ports';
import { Ledger } from './state/ledger';
import { scratchFolder } from './testing/scratch';

const DAY = 86_400_000;
const START = Date.parse('2026-01-01T00:00:00Z');
const DRILL = { id: '20260101T000000Z-region-loss', scenario: 'region-loss', passed: true };

let folder: string;
let wallMs: number;
const events: string[] = [];
const clock: SiteClock = {
  bootId: 'b',
  monotonicMs: () => 0,
  wallIso: () => new Date(wallMs).toISOString(),
};
/** What a new process would have. */
const drills = async (): Promise<Drills> =>
  new Drills(await Ledger.open(join(folder, 'ledger.json')), clock, (kind, detail) =>
    events.push(`${kind}: ${detail}`),
  );

beforeEach(() => {
  folder = mkdtempSync(join(scratchFolder(), 'drills-'));
  wallMs = START;
  events.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('counts from when it began to wait until there was a drill, over restarts', async () => {
  await (await drills()).beginToWait();
  wallMs += 3 * DAY;
  await (await drills()).beginToWait();
  expect((await drills()).status()).toEqual({ last: null, ageSeconds: (3 * DAY) / 1000 });
  expect(await (await drills()).drilled(DRILL)).toEqual({ last: DRILL, ageSeconds: 0 });
  wallMs += DAY;
  expect((await drills()).status()).toEqual({ last: DRILL, ageSeconds: DAY / 1000 });
  expect(events).toEqual([`drilled: ${DRILL.id} passed`]);
});

it('does not know the age once its clock was set back', async () => {
  await (await drills()).drilled({ ...DRILL, passed: false });
  wallMs -= DAY;
  expect((await drills()).status().ageSeconds).toBeNull();
  expect(events[0]).toContain('missed an objective, or was stopped');
});

it('shows Prometheus what is known, and nothing of what is not', async () => {
  const registry = new Registry();
  const of = await drills();
  of.measure(registry);
  await of.beginToWait();
  expect(await registry.metrics()).not.toMatch(/^failover_drill_passed /m);
  await of.drilled({ ...DRILL, passed: false });
  expect(await registry.metrics()).toMatch(/^failover_drill_passed 0$/m);
  expect(await registry.metrics()).toMatch(/^failover_drill_age_seconds 0$/m);
});

/** Wall clocks that jump: ages and the order of publishes must not follow them. */
import { statSync, utimesSync } from 'node:fs';
import type { CaseContext, DataCase, Happened } from '../data-case';

const DAY_MS = 86_400_000;
const HOUR_SECONDS = 3_600;
/** What was published a moment ago is not older than this on the slowest machine. */
const FRESH_SECONDS = 120;

const JUMPS = [
  { name: 'a day ahead', offsetMs: DAY_MS },
  { name: 'a day back', offsetMs: -DAY_MS },
] as const;

export const CLOCK: readonly DataCase[] = [
  ...JUMPS.flatMap(({ name, offsetMs }) =>
    (['holder', 'standby'] as const).map((whose): DataCase => ({
      name: `${whose}'s wall clock jumps ${name}`,
      group: 'clock',
      expected: ['applied, age is right'],
      run: async (drill) => {
        const { agent } = drill[whose];
        await agent.shiftWallClock(offsetMs);
        const happened = await replicated(drill);
        await agent.shiftWallClock(0);
        return happened;
      },
    })),
  ),
  {
    name: "store's clock is set an hour ahead after a publish",
    group: 'clock',
    expected: ['DATA_TOO_OLD'],
    run: (drill) => storeJumped(drill, HOUR_SECONDS),
  },
  {
    name: "store's clock is set an hour back after a publish",
    group: 'clock',
    expected: ['DATA_AGE_UNKNOWN'],
    run: (drill) => storeJumped(drill, -HOUR_SECONDS),
  },
];

async function replicated({ world, count }: CaseContext): Promise<Happened> {
  const { standby } = await world.replicate();
  count(`at ${standby.name}`, await world.missing(standby));
  const age = (await standby.status())?.applied?.dataAgeSeconds ?? Number.NaN;
  const isRight = age >= 0 && age < FRESH_SECONDS;
  return { step: 'published and applied', outcome: isRight ? 'applied, age is right' : `age ${age} s` };
}

/** For whoever compares the manifest's time with the store's clock, it is the manifest that has moved the other way. */
async function storeJumped({ world, holder, standby }: CaseContext, seconds: number): Promise<Happened> {
  const id = await world.published(holder);
  const manifest = world.storePath(`${holder.name}/publishes/${id}/manifest.json`);
  const modified = statSync(manifest).mtimeMs / 1000 - seconds;
  utimesSync(manifest, modified, modified);
  const { code } = await standby.apply();
  if (code !== 'ok') return { step: 'manifest read', outcome: code };
  const reasons = (await standby.status())?.promotable.reasons.map((reason) => reason.code) ?? [];
  return { step: 'applied', outcome: reasons.join(', ') || 'promotable' };
}

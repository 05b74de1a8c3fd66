/** Whoever may not publish or apply is refused, also when it finds out late; no publish of an old epoch gets through. */
import type { CaseContext, DataCase, Happened } from '../data-case';
import { insist } from '../insist';
import { QdrantOfAnotherVersion } from '../qdrant-of-another-version';
import { HIT_SECONDS } from './timing';

const OTHER_VERSION = '1.99.0';

export const DIRECTION: readonly DataCase[] = [
  {
    name: 'standby asked to publish',
    group: 'direction',
    expected: ['NOT_HOLDER'],
    run: async ({ standby }) => ({ step: 'asked', outcome: (await standby.publish()).code }),
  },
  {
    name: 'holder asked to apply',
    group: 'direction',
    expected: ['IS_HOLDER'],
    run: async ({ holder }) => ({ step: 'asked', outcome: (await holder.apply()).code }),
  },
  {
    name: 'old holder publishes and applies after it came back',
    group: 'direction',
    expected: ['NOT_HOLDER, FENCED'],
    run: async ({ world, holder: old, count }) => {
      const { to, missing } = await world.failOver(old);
      count(`at ${to.name}, promoted`, missing);
      await world.published(to);
      await old.agent.up();
      await world.isFenced(old);
      const answers = [await old.publish(), await old.apply()];
      return { step: 'asked', outcome: answers.map(({ code }) => code).join(', ') };
    },
  },
  {
    name: 'old holder re-protected before the new one has published',
    group: 'direction',
    expected: ['OWN_PUBLISH'],
    run: async ({ world, holder: old, standby, count }) => {
      const step = 'publish/started';
      await standby.agent.arm({ step, nth: 1, action: 'hold' });
      const { to, missing } = await world.failOver(old);
      count(`at ${to.name}, promoted`, missing);
      await to.agent.holdsAt(step, HIT_SECONDS);
      await old.agent.up();
      await world.isFenced(old);
      const { code } = await old.reprotect();
      await to.agent.release();
      return { step, outcome: code };
    },
  },
  ...['publish/snapshots-cut', 'publish/manifest-stored', 'store/move-latest'].map((step): DataCase => ({
    name: `holder frozen at ${step}, goes on after the other has taken over and published`,
    group: 'direction',
    expected: step === 'store/move-latest' ? ['PUBLISH_CONFLICT'] : ['NOT_HOLDER'],
    run: (drill) => frozen(drill, step),
  })),
  {
    name: 'two publishes at once',
    group: 'direction',
    expected: ['ok, BUSY'],
    run: async ({ world, holder }) => {
      const step = 'publish/snapshots-cut';
      await holder.agent.arm({ step, nth: 1, action: 'hold' });
      const first = world.publish(holder);
      await holder.agent.holdsAt(step, HIT_SECONDS);
      const second = await holder.publish();
      await holder.agent.release();
      return { step, outcome: `${(await first).code}, ${second.code}` };
    },
  },
  {
    name: 'somebody else moves the pointer during a publish',
    group: 'direction',
    expected: ['PUBLISH_CONFLICT, PUBLISH_MISSING'],
    run: async ({ world, holder, standby }) => {
      const step = 'store/move-latest';
      await holder.agent.arm({ step, nth: 1, action: 'hold' });
      const publishing = world.publish(holder);
      await holder.agent.holdsAt(step, HIT_SECONDS);
      const epoch = (await holder.status())?.lease?.epoch ?? 0;
      const publishId = `${String(epoch).padStart(10, '0')}-29991231T235959Z-ffff`;
      await world.putPointer({ publishId, site: holder.name, epoch });
      await holder.agent.release();
      const { code } = await publishing;
      return { step, outcome: `${code}, ${(await standby.apply()).code}` };
    },
  },
  {
    name: `standby's Qdrant is of another version`,
    group: 'direction',
    expected: ['QDRANT_VERSION, QDRANT_NOT_AS_CONFIGURED'],
    run: otherVersion,
  },
];

async function frozen({ world, holder, count }: CaseContext, step: string): Promise<Happened> {
  await holder.agent.arm({ step, nth: 1, action: 'hold' });
  const publishing = world.publish(holder);
  await holder.agent.holdsAt(step, HIT_SECONDS);
  const { to, missing } = await world.failOver(holder, { lose: () => holder.agent.freeze() });
  count(`at ${to.name}, promoted`, missing);
  const published = await world.published(to);
  holder.agent.thaw();
  await holder.agent.release();
  const { code } = await publishing;
  if (world.latestId() !== published) return { step, outcome: `the pointer names ${world.latestId()}` };
  return { step, outcome: code };
}

async function otherVersion({ world, holder, standby }: CaseContext): Promise<Happened> {
  const other = await QdrantOfAnotherVersion.start(standby.qdrant.port, OTHER_VERSION);
  const listen = (port: number) =>
    standby.agent.up((config) => ({ ...config, spec: { ...config.spec, vectors: { port } } }));
  try {
    await world.published(holder);
    await standby.agent.down();
    await listen(other.port);
    await insist(`${standby.name} knows its Qdrant`, async () => {
      const status = await standby.status();
      return status?.versions.qdrant === OTHER_VERSION && status.lease !== null ? null : 'not yet';
    });
    const { code } = await standby.apply();
    const reasons = (await standby.status())?.promotable.reasons.map((reason) => reason.code) ?? [];
    const told = reasons.filter((reason) => reason.startsWith('QDRANT_'));
    return { step: 'asked', outcome: [code, ...told].join(', ') };
  } finally {
    await standby.agent.down();
    await other.close();
    await listen(standby.qdrant.port);
  }
}

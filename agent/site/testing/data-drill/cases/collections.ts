/** Collections that go, come back, or come back as something else between two publishes, or during one; and a hundred. */
import type { CaseContext, DataCase, Happened } from '../data-case';
import { HIT_SECONDS } from './timing';

const NAME = 'shifting';
const POINTS = 50;
const HUNDRED = 100;
const POINTS_OF_EACH = 10;

interface Change {
  readonly name: string;
  readonly make: (drill: CaseContext) => Promise<void>;
}

const CHANGES: readonly Change[] = [
  { name: 'dropped', make: ({ world }) => world.drop(NAME) },
  {
    name: 'recreated with other points',
    make: async ({ world }) => {
      await world.drop(NAME);
      await world.create(NAME, 2);
      await world.fill(NAME, POINTS / 2, 1);
    },
  },
  {
    name: 'recreated with three shards and another distance',
    make: async ({ world }) => {
      await world.drop(NAME);
      await world.create(NAME, 3, 'Euclid');
      await world.fill(NAME, POINTS, 2);
    },
  },
  {
    name: 'replaced by an alias of its name',
    make: async ({ world }) => {
      await world.drop(NAME);
      await world.create(`${NAME}-2`);
      await world.fill(`${NAME}-2`, POINTS);
      await alias(world, `${NAME}-2`, NAME);
    },
  },
];

export const COLLECTIONS: readonly DataCase[] = [
  ...CHANGES.map(({ name, make }): DataCase => ({
    name: `collection ${name} between two publishes`,
    group: 'collections',
    expected: ['as published'],
    run: async (drill) => {
      await begin(drill);
      await make(drill);
      return end(drill, 'between publishes');
    },
  })),
  {
    name: 'collection dropped while it is being published',
    group: 'collections',
    expected: ['QDRANT_REQUEST_FAILED'],
    run: async (drill) => {
      const { world, holder } = drill;
      const step = 'publish/marked';
      await begin(drill);
      await holder.agent.arm({ step, nth: 1, action: 'hold' });
      const publishing = world.publish(holder);
      await holder.agent.holdsAt(step, HIT_SECONDS);
      await world.drop(NAME);
      await holder.agent.release();
      const { code } = await publishing;
      await end(drill, step);
      return { step, outcome: code };
    },
  },
  {
    name: `${HUNDRED} collections, and kill -9 halfway through applying them`,
    group: 'collections',
    expected: ['as published'],
    run: async (drill) => {
      const { world, holder, standby } = drill;
      const names = Array.from({ length: HUNDRED }, (_, index) => `many-${index}`);
      for (const name of names) {
        await world.create(name);
        await world.fill(name, POINTS_OF_EACH);
      }
      const id = await world.published(holder);
      const step = 'apply/shard-recovered';
      await standby.agent.arm({ step, nth: HUNDRED / 2, action: 'kill' });
      await standby.apply();
      await standby.agent.killedAt(step, 2 * HIT_SECONDS);
      await world.applied(standby, id);
      const happened = await end(drill, step);
      for (const name of names) await world.drop(name);
      return happened;
    },
  },
];

/** A collection of the case's own, at both sites. */
async function begin({ world }: CaseContext): Promise<void> {
  await world.create(NAME, 2);
  await world.fill(NAME, POINTS);
  await world.replicate();
}

/** Both sites have it as it is now; then it goes. */
async function end({ world, count }: CaseContext, step: string): Promise<Happened> {
  const { standby } = await world.replicate();
  count(`at ${standby.name}`, await world.missing(standby));
  for (const name of world.record.names()) if (name.startsWith(NAME)) await world.drop(name);
  return { step, outcome: 'as published' };
}

async function alias(world: CaseContext['world'], collection: string, name: string): Promise<void> {
  const action = { create_alias: { collection_name: collection, alias_name: name } };
  await world.mustWrite('POST', '/collections/aliases', { actions: [action] });
}

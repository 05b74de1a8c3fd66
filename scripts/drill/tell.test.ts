import { SiteClient } from '../cli/site-client';
import { FakeWorld } from '../testing/fake-world';
import { tellSites } from './tell';

let world: FakeWorld;
beforeEach(async () => {
  world = new FakeWorld({ detectMs: 300, dnsMs: 100 });
  await world.start();
});
afterEach(() => world.stop());

const DRILL = { id: '20261101T000000Z-planned-switch', scenario: 'planned-switch' };

async function tell(hasPassed: boolean, signal = new AbortController().signal): Promise<string[]> {
  const context = world.context();
  const said: string[] = [];
  const progress = { phase: (text: string) => said.push(text), tick: () => undefined, end: () => undefined };
  const sites = context.sites.map((site) => new SiteClient(context, site));
  await tellSites({ sites, signal, progress }, DRILL, hasPassed);
  return said;
}

it('tells both sites of a drill and how it went', async () => {
  expect(await tell(false)).toEqual([]);
  for (const site of [world.uk, world.eu]) expect(site.drills).toEqual([{ ...DRILL, passed: false }]);
});

it('says which site could not be told, and tells the other', async () => {
  await world.run(['kill', 'uk']);
  const said = await tell(true);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/^uk\S* was not told of this drill: /);
  expect(world.eu.drills).toHaveLength(1);
});

it('tells nobody of a drill that a person ended', async () => {
  await tell(false, AbortSignal.abort());
  expect(world.uk.drills).toEqual([]);
});

/** One story, told against fakes in the fast tests and against real servers in the slow ones. */
import type { StatusResponse } from '../../../infra/contract/agent-api';
import { eventually, type TestSite } from './two-sites';

export interface Pair {
  readonly uk: TestSite;
  readonly eu: TestSite;
  /** Points of the collection that the site's own Qdrant has. */
  readonly count: (site: TestSite, collection: string) => Promise<number>;
}

const BY = { by: 'test', reason: 'story' };

export async function bootstrap({ uk, eu }: Pair): Promise<void> {
  uk.peer = eu;
  eu.peer = uk;
  await uk.start();
  await eu.start();
  await eventually('uk is ready', async () => (await uk.call('GET', '/readyz')).status === 200);
  expect(uk.status().lease).toMatchObject({ epoch: 1, holder: 'uk' });
}

export async function seed({ uk }: Pair, points: number): Promise<void> {
  const vectors = { size: 4, distance: 'Cosine' };
  expect((await uk.write('PUT', '/collections/docs', { vectors, shard_number: 2 })).status).toBe(200);
  await addPoints(uk, 0, points);
  const aliases = { actions: [{ create_alias: { collection_name: 'docs', alias_name: 'current' } }] };
  expect((await uk.write('POST', '/collections/aliases', aliases)).status).toBe(200);
  const index = { field_name: 'n', field_schema: 'integer' };
  expect((await uk.write('PUT', '/collections/docs/index?wait=true', index)).status).toBe(200);
}

export async function addPoints(site: TestSite, from: number, to: number): Promise<void> {
  const points = Array.from({ length: to - from }, (_, offset) => {
    const id = from + offset;
    return { id, vector: [Math.sin(id), Math.cos(id), Math.sin(id / 9), 1], payload: { n: id } };
  });
  const { status, body } = await site.write('PUT', '/collections/docs/points?wait=true', { points });
  expect({ status, body }).toMatchObject({ status: 200 });
}

export async function publishAt(holder: TestSite): Promise<void> {
  // The first publish of a new epoch starts by itself; only one runs at a time.
  await eventually(`${holder.setup.site} has published`, async () => {
    const { status, body } = await holder.call('POST', '/failover/publish');
    if (status === 409) return false;
    expect({ status, body }).toMatchObject({ status: 200 });
    return true;
  });
}

/** Publishes at one site and applies at the other until the other could take over. */
export async function protect(holder: TestSite, standby: TestSite): Promise<void> {
  await publishAt(holder);
  await eventually(`${standby.setup.site} has applied`, async () => {
    const { status, body } = await standby.call('POST', '/failover/apply');
    expect({ status, body }).toEqual({ status: expect.any(Number), body: expect.any(Object) });
    return standby.status().applied?.id === holder.status().published?.id && status < 500;
  });
  await eventually(`${standby.setup.site} is promotable`, () => reasons(standby.status()).length === 0);
  await eventually(`${holder.setup.site} is active`, () => holder.status().state === 'active');
}

export function reasons(status: StatusResponse): readonly string[] {
  return status.promotable.reasons.map((reason) => reason.code);
}

export async function plannedSwitch(from: TestSite, to: TestSite): Promise<void> {
  await eventually(`${from.setup.site} has handed over`, async () => {
    const { status, body } = await from.call('POST', '/failover/switch', BY);
    // On a busy machine a lease this short may lapse, and then nothing has changed.
    if (status === 409) return false;
    expect({ status, body }).toMatchObject({ status: 200, body: { holder: to.setup.site } });
    return true;
  });
  await eventually(`${to.setup.site} is ready`, async () => (await to.call('GET', '/readyz')).status === 200);
  expect((await from.call('GET', '/readyz')).status).toBe(503);
  expect((await from.write('PUT', '/collections/docs/points', { points: [] })).body).toMatchObject({
    error: { code: 'NOT_HOLDER' },
  });
}

export async function reprotect(site: TestSite): Promise<void> {
  await eventually(`${site.setup.site} is re-protected`, async () => {
    const { status, body } = await site.call('POST', '/failover/reprotect', BY);
    // The new holder's first publish may still be on its way.
    if (status === 409) return false;
    expect({ status, body }).toMatchObject({ status: 200 });
    return true;
  });
}

/** One story, told against fakes in the fast tests and against real servers in the slow ones. */
import type {
  DivergedPageResponse,
  DivergedSummary,
  MergePolicy,
  MergeResponse,
  StatusResponse,
} from '../../../infra/contract/agent-api';
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

/** Everything that one site has set aside, sent to the holder page by page, as `failover merge` does. */
export async function mergeAll(
  from: TestSite,
  holder: TestSite,
  policy: MergePolicy,
): Promise<MergeResponse> {
  const [set] = (await diverged(from)).slice(-1);
  const outcome = { applied: 0, present: 0, conflicts: 0 };
  const conflicts: MergeResponse['conflicts'][number][] = [];
  for (let offset: number | null = 0; offset !== null;) {
    const asked = await from.call('POST', '/failover/diverged/page', { epoch: set?.epoch, offset });
    const page = asked.body as unknown as DivergedPageResponse;
    const request = { ...BY, lines: page.lines, policy, first: offset === 0 };
    const { status, body } = await holder.call('POST', '/failover/merge', request);
    expect({ status, body }).toMatchObject({ status: 200 });
    const merged = body as unknown as MergeResponse;
    for (const key of ['applied', 'present', 'conflicts'] as const) outcome[key] += merged.outcome[key];
    conflicts.push(...merged.conflicts);
    offset = page.next;
  }
  return { outcome, conflicts };
}

export async function diverged(site: TestSite): Promise<readonly DivergedSummary[]> {
  const { body } = await site.call('POST', '/failover/diverged');
  return body['diverged'] as readonly DivergedSummary[];
}

/** The number that `addPoints` gave the point, or another one since; null when it is not there. */
export type ReadNumber = (site: TestSite, collection: string, id: number) => Promise<number | null>;

/**
 * The holder is lost with writes that nobody else has: some in a publish that the other site never applied, some in none.
 * They come back by a merge, whole and once; what both sides changed is decided by the policy.
 */
export async function lostWrites(pair: Pair, numberOf: ReadNumber): Promise<void> {
  const { uk, eu, count } = pair;
  await bootstrap(pair);
  await seed(pair, 50);
  await protect(uk, eu);
  const set = (site: TestSite, id: number, n: number) =>
    site.write('PUT', '/collections/docs/points?wait=true', {
      points: [{ id, vector: [n, 1, 2, 3], payload: { n } }],
    });
  await addPoints(uk, 100, 106);
  await publishAt(uk);
  await addPoints(uk, 106, 112);
  await set(uk, 3, 333);
  await set(uk, 4, 444);
  await set(uk, 6, 666);
  await uk.write('POST', '/collections/docs/points/delete?wait=true', { points: [5] });
  await uk.write('PUT', '/collections/fresh', { vectors: { size: 4, distance: 'Cosine' } });
  await uk.write('PUT', '/collections/fresh/points?wait=true', {
    points: [1, 2, 3].map((id) => ({ id, vector: [id, 1, 0, 0], payload: { n: id } })),
  });
  await uk.halt();
  await eventually('eu is ready', async () => (await eu.call('GET', '/readyz')).status === 200);
  expect(await count(eu, 'docs')).toBe(50);
  await set(eu, 4, 4444);
  await eu.write('POST', '/collections/docs/points/delete?wait=true', { points: [6] });
  await addPoints(eu, 1000, 1005);
  await publishAt(eu);
  await uk.start();
  await eventually('uk is fenced', () => uk.status().state === 'fenced');
  await reprotect(uk);

  const counts = { inserted: 15, changed: 3, deleted: 1, unknown: 0, collections: 1 };
  expect(await diverged(uk)).toEqual([expect.objectContaining({ counts, merged: null })]);
  expect(
    (await uk.call('POST', '/failover/merge', { ...BY, lines: [], policy: 'list', first: true })).body,
  ).toMatchObject({ skipped: { code: 'NOT_HOLDER' } });
  const conflicts = [
    { collection: 'docs', id: '4', why: 'changed there, changed at the holder' },
    { collection: 'docs', id: '6', why: 'changed there, deleted at the holder' },
  ];
  const byId = (list: MergeResponse['conflicts']) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1));
  const asListed = await mergeAll(uk, eu, 'list');
  // 12 in docs, 3 in fresh and fresh itself, 1 changed, 1 deleted.
  expect(asListed.outcome).toEqual({ applied: 18, present: 0, conflicts: 2 });
  expect(byId(asListed.conflicts)).toEqual(conflicts);
  expect(await count(eu, 'docs')).toBe(54);

  expect((await mergeAll(uk, eu, 'keep-holder')).outcome).toEqual({ applied: 18, present: 0, conflicts: 2 });
  // 54 and 12 that were lost, without one that had been deleted.
  expect(await count(eu, 'docs')).toBe(65);
  expect(await count(eu, 'fresh')).toBe(3);
  const numbers = (...ids: number[]) => Promise.all(ids.map((id) => numberOf(eu, 'docs', id)));
  expect(await numbers(3, 4, 5, 6, 100, 111, 1004)).toEqual([333, 4444, null, null, 100, 111, 1004]);

  expect((await mergeAll(uk, eu, 'keep-holder')).outcome).toEqual({ applied: 0, present: 18, conflicts: 2 });
  expect((await mergeAll(uk, eu, 'keep-diverged')).outcome).toEqual({
    applied: 0,
    present: 18,
    conflicts: 2,
  });
  expect(await numbers(3, 4, 6)).toEqual([333, 444, 666]);
  const last = await mergeAll(uk, eu, 'keep-diverged');
  expect(last.outcome).toEqual({ applied: 0, present: 20, conflicts: 0 });

  const [kept] = await diverged(uk);
  const said = { ...BY, epoch: kept?.epoch, policy: 'keep-diverged', outcome: last.outcome };
  expect((await uk.call('POST', '/failover/diverged/merged', said)).status).toBe(200);
  expect(uk.status().diverged).toEqual([
    expect.objectContaining({ merged: expect.objectContaining({ by: 'test', outcome: last.outcome }) }),
  ]);
  // And the standby has what was merged.
  await protect(eu, uk);
  expect(await count(uk, 'docs')).toBe(66);
}

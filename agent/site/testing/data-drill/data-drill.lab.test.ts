/**
 * A few cases of the data drill, so that what runs them is tested as well; all of them are `make drill SCENARIO=data`.
 * Skipped where the toolchain is not built.
 */
import { rmSync } from 'node:fs';
import { findVersitygw } from '../../../lease/testing/versitygw';
import { findQdrant } from '../real-qdrant';
import { findRestic } from '../restic';
import { bundleSiteProcess } from './bundle';
import { allCases } from './cases';
import type { CaseResult, DataCase } from './data-case';
import { findPrograms } from './programs';
import { hasPassed } from './report';
import { runGroups } from './run-groups';

const REPRESENTATIVE = [
  'kill -9 in publish: pointer-moved',
  'kill -9 in apply: shard-recovered',
  'kill -9 in re-protection, then failback: apply/set-aside',
  'kill -9 in restore test: restored',
  'kill -9 of the holder in hand-over: lease/handover-written',
  'in the store: manifest of other parts',
];

/** Somebody with Qdrant's own key deletes what was acknowledged, at the holder, after it was published. */
const LOSING: DataCase = {
  name: 'points deleted behind the gateway',
  group: 'publish',
  expected: ['deleted'],
  run: async ({ world, holder }) => {
    const { port, apiKey } = holder.qdrant;
    const answer = await fetch(`http://127.0.0.1:${port}/collections/docs/points/delete?wait=true`, {
      method: 'POST',
      headers: { 'api-key': apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ points: [1, 2] }),
    });
    await world.published(holder);
    return { step: 'deleted', outcome: answer.ok ? 'deleted' : String(answer.status) };
  },
};

const isBuilt = [findQdrant(), findRestic(), findVersitygw()].every((program) => program !== undefined);
const suite = isBuilt ? describe : describe.skip;

suite('the data drill', () => {
  let agent: string;

  beforeAll(() => {
    agent = bundleSiteProcess();
  });

  afterAll(() => rmSync(agent, { force: true }));

  const run = (cases: readonly DataCase[]): Promise<CaseResult[]> =>
    runGroups(cases, { programs: { ...findPrograms(), agent }, lanes: 2, onResult: () => undefined });

  it('passes where processes are killed and parts are lost, and hits the steps that it names', async () => {
    const results = await run(allCases().filter(({ name }) => REPRESENTATIVE.includes(name)));
    expect(results.filter((result) => !hasPassed(result))).toEqual([]);
    expect(results.map(({ step }) => step)).toEqual([
      'publish/pointer-moved',
      'apply/shard-recovered',
      'apply/set-aside',
      'lease/handover-written',
      'published, then damaged',
      'restore-test/restored',
    ]);
  });

  it('fails a case that loses points, and names them', async () => {
    const [result] = await run([LOSING]);
    // Both points at both sites.
    expect(result).toMatchObject({ outcome: 'deleted', pointsLost: 4 });
    expect(result?.problems.join('\n')).toContain('docs/1, docs/2');
  });
});

import type { CaseResult } from './data-case';
import { hasPassed, renderReport, type DrillReport } from './report';

const result = (change: Partial<CaseResult>): CaseResult => ({
  name: 'kill -9 in publish: marked',
  group: 'publish',
  step: 'publish/marked',
  outcome: 'previous publish stays',
  pointsLost: 0,
  seconds: 3,
  problems: [],
  ...change,
});

const report = (results: readonly CaseResult[]): DrillReport => ({
  version: 1,
  startedAt: '2026-11-28T21:00:00.000Z',
  seconds: 61.4,
  qdrant: '/opt/qdrant',
  passed: results.every(hasPassed),
  results,
});

describe('the report of a data drill', () => {
  it('has a line for every case, one for every group, and a sum', () => {
    expect(renderReport(report([result({})])).split('\n')).toEqual([
      'what was tried              step hit        what happened           points lost',
      'kill -9 in publish: marked  publish/marked  previous publish stays  0            passed',
      '',
      'group    cases  points lost            what happened',
      'publish  1      0            1 passed  previous publish stays',
      '',
      '1 of 1 cases passed, 0 points lost beyond the published state, in 61 s, with /opt/qdrant.',
    ]);
  });

  it('says of a failed case what was wrong', () => {
    const failed = result({ pointsLost: 2, problems: ['at eu: 2 points lost: docs/1, docs/2'] });
    const text = renderReport(report([failed]));
    expect(text).toContain('2            FAILED\n');
    expect(text).toContain('kill -9 in publish: marked: at eu: 2 points lost: docs/1, docs/2');
    expect(text).toContain('0 of 1 cases passed, 2 points lost');
  });

  it('fails a case that lost points or had a problem', () => {
    expect(hasPassed(result({}))).toBe(true);
    expect(hasPassed(result({ pointsLost: 1 }))).toBe(false);
    expect(hasPassed(result({ problems: ['expected DISK_SPACE'] }))).toBe(false);
  });
});

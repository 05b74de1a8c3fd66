import { judge, type Measured } from './judge';
import { renderReport } from './report';

const MB = 1e6;
const measured = (over: Partial<Measured>): Measured => ({
  link: '200 Mbit/s each way',
  capped: true,
  phase: 'idle',
  method: 'ours',
  seconds: 1,
  primaryBytes: MB,
  standbyBytes: MB,
  peakBytes: 100 * 1024 * 1024,
  unreadableSeconds: 0.2,
  ...over,
});
const full = (over: Partial<Measured>): Measured => measured({ method: 'full', seconds: 9, ...over });

describe('the goals', () => {
  it('are held each way, so that one good way does not hide the other', () => {
    const verdicts = judge([
      measured({ primaryBytes: 2 * MB, standbyBytes: MB }),
      full({ primaryBytes: 60 * MB, standbyBytes: 60 * MB }),
    ]);
    expect(verdicts.map(({ got, met }) => [got, met])).toEqual([
      ['30 ×', false],
      ['60 ×', true],
      ['100 MiB', true],
    ]);
  });

  it('ask of the bounded link only that a change takes a third of the time, and the first copy no more', () => {
    const of = (capped: boolean): string[] =>
      judge([
        measured({ phase: 'changed', seconds: 3.1, capped }),
        full({ phase: 'changed', primaryBytes: 100 * MB, standbyBytes: 100 * MB, capped }),
        measured({ phase: 'first', seconds: 9, capped }),
        full({ phase: 'first', capped }),
      ]).map(({ goal, met }) => `${goal.replace(/^[^,]*, /, '')} ${met}`);
    expect(of(true)).toEqual([
      '1 % changed: 25 × fewer bytes than full, from the primary true',
      '1 % changed: 25 × fewer bytes than full, to the standby true',
      '1 % changed: at most 0.33 of the time of full false',
      'first copy: at most as long as full true',
      '200 Mbit/s each way: less than 256 MiB of memory true',
    ]);
    expect(of(false)).toHaveLength(3);
  });

  it('hold the largest step of all phases to the memory, the first copy too', () => {
    const [verdict] = judge([measured({ phase: 'first', peakBytes: 256 * 2 ** 20 }), measured({})]);
    expect(verdict).toMatchObject({ got: '256 MiB', met: false });
  });

  it('say nothing of what was not measured', () => {
    expect(judge([full({})])).toEqual([]);
    expect(judge([measured({})])).toHaveLength(1);
  });
});

describe('the report', () => {
  it('puts every method of a phase next to the full copy, and says what was missed', () => {
    const all = [
      measured({}),
      full({ primaryBytes: 40 * MB, standbyBytes: 40 * MB }),
      measured({ method: 'scroll', seconds: 18, primaryBytes: 80 * MB, standbyBytes: 80 * MB }),
    ];
    const text = renderReport(all, judge(all));
    expect(text).toContain('| idle | ours | 1.0 | 1.0 MB | 1.0 MB | 100 MiB | 0.20 s | 0.11 × | 0.025 × |');
    expect(text).toContain(
      '| idle | scroll + upsert | 18.0 | 80.0 MB | 80.0 MB | 100 MiB | 0.20 s | 2.0 × | 2.0 × |',
    );
    expect(text.match(/\*\*missed\*\*/g)).toHaveLength(2);
  });
});

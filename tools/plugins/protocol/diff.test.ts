import { changesBetween } from './diff';
import { secret } from './values';

function told(
  olds: Parameters<typeof changesBetween>[0],
  news: Parameters<typeof changesBetween>[1],
): string[] {
  return changesBetween(olds, news).map(({ path, kind }) => `${kind} ${path}`);
}

describe('changesBetween', () => {
  it('says the deepest changed places of plain lists and objects', () => {
    expect(
      told(
        { triggers: [1, { a: 'x' }], environment: { A: '1', B: '2' } },
        { triggers: [1, { a: 'y' }, 3], environment: { B: '2', 'C-D': '3' } },
      ),
    ).toEqual(['update triggers[1].a', 'add triggers[2]', 'delete environment.A', 'add environment["C-D"]']);
  });

  it('says a changed secret as a whole', () => {
    expect(told({ connection: secret({ host: 'a' }) }, { connection: secret({ host: 'b' }) })).toEqual([
      'update connection',
    ]);
    expect(told({ connection: secret({ host: 'a' }) }, { connection: secret({ host: 'a' }) })).toEqual([]);
  });

  it('says whole inputs that come and go, and minds no nulls', () => {
    expect(told({ a: 1, c: null }, { b: [1] })).toEqual(['delete a', 'add b']);
  });
});

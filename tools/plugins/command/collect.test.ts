import { globToRegExp } from './collect';

describe('globToRegExp', () => {
  it.each([
    ['*.txt', 'a.txt', true],
    ['*.txt', 'd/a.txt', false],
    ['**.txt', 'd/e/a.txt', true],
    ['src/**', 'src/a/b', true],
    ['src/**', 'src2/a', false],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[a-c].js', 'b.js', true],
    ['[!a-c].js', 'b.js', false],
    ['{a,b}.js', 'b.js', true],
    ['{a,b}.js', 'c.js', false],
    ['a.b', 'axb', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a,b', 'a,b', true],
  ])('%s and %s: %s', (glob, name, matches) => {
    expect(globToRegExp(glob).test(name)).toBe(matches);
  });
});

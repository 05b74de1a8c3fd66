import { asset, containsUnknown, isSecret, plain, sameValue, secret, UNKNOWN, type Wire } from './values';

describe('wire values', () => {
  it('takes off secret marks at every depth', () => {
    expect(plain(secret({ a: [secret('x'), { b: secret(1) }], c: null }))).toEqual({
      a: ['x', { b: 1 }],
      c: null,
    });
  });

  it('marks a secret only once', () => {
    const once = secret('x');
    expect(secret(once)).toBe(once);
    expect(isSecret(once)).toBe(true);
  });

  it('sees unknowns through secrets, lists and objects', () => {
    expect(containsUnknown(secret({ a: ['x', UNKNOWN] }))).toBe(true);
    expect(containsUnknown(secret({ a: ['x'] }))).toBe(false);
  });

  it.each<[string, Wire, Wire, boolean]>([
    ['equal objects in another order', { a: 1, b: 2 }, { b: 2, a: 1 }, true],
    ['nothing and a missing key', { a: null }, {}, true],
    ['a secret and its content', secret('x'), 'x', false],
    ['equal secrets', secret({ a: 1 }), secret({ a: 1 }), true],
    [
      'assets of one content at two paths',
      asset({ hash: '1', path: 'a' }),
      asset({ hash: '1', path: 'b' }),
      true,
    ],
    [
      'assets of two contents at one path',
      asset({ hash: '1', path: 'a' }),
      asset({ hash: '2', path: 'a' }),
      false,
    ],
    ['assets without a hash', asset({ path: 'a' }), asset({ path: 'a' }), false],
    ['lists of another length', [1], [1, 2], false],
  ])('compares %s', (_title, a, b, same) => {
    expect(sameValue(a, b)).toBe(same);
    expect(sameValue(b, a)).toBe(same);
  });
});

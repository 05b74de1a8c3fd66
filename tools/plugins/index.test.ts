import { choiceOf, isSettled } from './index';

describe('the choice of a plugin', () => {
  it('is free unless the environment insists on one', () => {
    expect(choiceOf('command', undefined)).toBe('any');
    expect(choiceOf('command', 'vendor')).toBe('vendor');
    expect(() => choiceOf('command', 'vendors')).toThrow(/COMMAND_PLUGIN must be `vendor` or `own`/);
  });

  it.each([
    [undefined, 'any', false],
    ['vendor', 'any', true],
    ['own-1', 'any', true],
    ['own-0', 'any', false],
    ['vendor', 'own', false],
    ['own-1', 'vendor', false],
    ['vendor', 'vendor', true],
  ] as const)('takes an installed %s for %s: %s', (origin, choice, settled) => {
    expect(isSettled(origin, choice, 'own-1')).toBe(settled);
  });
});

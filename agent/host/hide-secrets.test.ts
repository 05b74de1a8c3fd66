import { hideSecrets } from './hide-secrets';

it('hides values, their lines, and the longer of two that begin alike', () => {
  const text = 'asked with secret-1 then secret-1-old, got a\nmulti-line value';
  expect(hideSecrets(text, ['secret-1\nsecret-1-old\n', 'multi-line value', 'a', ''])).toBe(
    'asked with [hidden] then [hidden], got a\n[hidden]',
  );
});

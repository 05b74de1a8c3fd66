import { firstKey, keyLines } from '../shared/key-lines';
import { KeyCheck } from './keys';

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

it('accepts any line of a credential, and nothing that is between them', () => {
  const check = new KeyCheck(['new-key\nold-key\n']);
  expect(check.accepts(bearer('new-key'))).toBe(true);
  expect(check.accepts(bearer('old-key'))).toBe(true);
  for (const key of ['', 'new-key\nold-key', 'new-key\n', 'other']) {
    expect(check.accepts(bearer(key))).toBe(false);
  }
});

it('accepts nothing where there is no key', () => {
  expect(new KeyCheck(['', '\n']).accepts(bearer(''))).toBe(false);
});

it('presents the first', () => {
  expect(keyLines(' new \n\nold\r\n')).toEqual(['new', 'old']);
  expect(firstKey('new\nold')).toBe('new');
  expect(firstKey('\n')).toBe('');
});

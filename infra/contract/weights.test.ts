import { parseSums, renderSums, versionFolder } from './weights';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

describe('the list of a version', () => {
  it('says the same whatever the order in which its files were found', () => {
    const files = [
      { path: 'model.safetensors', sha256: A },
      { path: 'extra/config.json', sha256: B },
    ];
    const text = renderSums(files, 'example/tiny at 0123abc');
    expect(text).toBe(`# example/tiny at 0123abc\n${B}  extra/config.json\n${A}  model.safetensors\n`);
    expect(renderSums([...files].reverse(), 'example/tiny at 0123abc')).toBe(text);
    expect(parseSums(text)).toEqual({
      ok: true,
      files: [...files].reverse(),
      source: 'example/tiny at 0123abc',
    });
  });

  it('may be what sha256sum prints', () => {
    expect(parseSums(`${A}  ./config.json\n${B} *weights/1 of 2.bin\n`)).toMatchObject({
      ok: true,
      files: [
        { path: 'config.json', sha256: A },
        { path: 'weights/1 of 2.bin', sha256: B },
      ],
      source: null,
    });
  });

  it.each([
    ['a path out of its folder', `${A}  ../../etc/passwd\n`],
    ['an absolute path', `${A}  /etc/passwd\n`],
    ['a path through its own folder', `${A}  a/./b\n`],
    ['itself', `${A}  SHA256SUMS\n`],
    ['a file twice', `${A}  config.json\n${B}  config.json\n`],
    ['a name with a backslash, which sha256sum would escape', `${A}  a\\nb\n`],
    ['a short digest', 'abc  config.json\n'],
    ['nothing', '# example/tiny at 0123abc\n'],
  ])('is refused when it names %s', (_what, text) => {
    expect(parseSums(text)).toMatchObject({ ok: false });
  });

  it('names the folder of its version', () => {
    expect(versionFolder('/srv/models', A)).toBe('/srv/models/aaaaaaaaaaaa');
  });
});

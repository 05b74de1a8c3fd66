import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { readModel, sha256Of } from './folder';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'model-'));
  await writeFile(path.join(folder, 'config.json'), '{}');
});
afterEach(() => rm(folder, { recursive: true }));

const read = (source?: string) => readModel(folder, source, () => undefined);
const SUM = sha256Of(Buffer.from('{}'));

describe('a folder of weights', () => {
  it('has a hash that pins where the files are from as well as what is in them', async () => {
    const one = await read('example/tiny at 1');
    expect(one.sums.toString()).toBe(`# example/tiny at 1\n${SUM}  config.json\n`);
    expect(one.sha256).toBe(sha256Of(one.sums));
    expect((await read('example/tiny at 1')).sha256).toBe(one.sha256);
    expect((await read('example/tiny at 2')).sha256).not.toBe(one.sha256);
  });

  it('counts links as what they lead to, and hidden files as a downloader’s', async () => {
    await mkdir(path.join(folder, '.cache'));
    await writeFile(path.join(folder, '.cache', 'blob'), '{}');
    await symlink('.cache/blob', path.join(folder, 'linked.json'));
    expect((await read('x at 1')).files.map(({ path: name, bytes }) => [name, bytes])).toEqual([
      ['config.json', 2],
      ['linked.json', 2],
    ]);
  });

  it('keeps the list that it has, byte for byte', async () => {
    const own = Buffer.from(`# from elsewhere\n${SUM} *./config.json\n`);
    await writeFile(path.join(folder, 'SHA256SUMS'), own);
    expect(await read()).toMatchObject({ sums: own, sha256: sha256Of(own) });
  });

  it.each([
    ['of other content', `${'a'.repeat(64)}  config.json\n`, /does not describe the folder: config\.json/],
    [
      'without one of the files',
      `${SUM}  other.json\n`,
      /does not describe the folder: config\.json, other\.json/,
    ],
    ['that is none', 'config.json\n', /is no list of weights/],
  ])('is refused with a list %s', async (_what, text, message) => {
    await writeFile(path.join(folder, 'SHA256SUMS'), text);
    await expect(read()).rejects.toThrow(message);
  });

  it('is refused when its list says it is from elsewhere, when nobody says where it is from, and when it is empty', async () => {
    await expect(read()).rejects.toMatchObject({
      code: 'MODEL_FOLDER',
      next: [expect.stringContaining('--revision')],
    });
    await writeFile(path.join(folder, 'SHA256SUMS'), `# example/tiny at 1\n${SUM}  config.json\n`);
    await expect(read('example/tiny at 2')).rejects.toThrow(
      /says example\/tiny at 1, not example\/tiny at 2/,
    );
    await rm(path.join(folder, 'config.json'));
    await expect(read()).rejects.toThrow(/holds no files/);
    await expect(readModel(path.join(folder, 'nowhere'), 'x', () => undefined)).rejects.toThrow(
      /cannot be read/,
    );
  });
});

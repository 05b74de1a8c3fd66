import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureArtifact, withLock } from './cache';

let root: string;
const before = process.env['FAILOVER_CACHE'];
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'cache-'));
  process.env['FAILOVER_CACHE'] = root;
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(async () => {
  jest.restoreAllMocks();
  if (before === undefined) delete process.env['FAILOVER_CACHE'];
  else process.env['FAILOVER_CACHE'] = before;
  await rm(root, { recursive: true, force: true });
});

describe('ensureArtifact', () => {
  it('builds once, for any number of callers, and lets everyone read it', async () => {
    let builds = 0;
    const build = (): Promise<string> =>
      ensureArtifact('thing-1', 'building', async (folder) => {
        builds++;
        await writeFile(path.join(folder, 'made'), 'x');
      });
    const folders = await Promise.all([build(), build(), build()]);
    expect(new Set(folders).size).toBe(1);
    expect(builds).toBe(1);
    expect((await stat(folders[0] as string)).mode & 0o777).toBe(0o755);
  });

  it('leaves nothing behind when building fails, and tries again', async () => {
    await expect(
      ensureArtifact('thing-1', 'building', async (folder) => {
        await writeFile(path.join(folder, 'half'), 'x');
        throw new Error('broke');
      }),
    ).rejects.toThrow('broke');
    expect(await readdir(path.join(root, 'toolchain'))).toEqual([]);
    const folder = await ensureArtifact('thing-1', 'building', (target) =>
      writeFile(path.join(target, 'whole'), 'y'),
    );
    expect(await readFile(path.join(folder, 'whole'), 'utf8')).toBe('y');
  });

  it('clears what a killed build of the same artefact left, and nothing else', async () => {
    const toolchain = path.join(root, 'toolchain');
    for (const left of ['.thing-1-abcDEF', '.thing-1-more-abcDEF'])
      await mkdir(path.join(toolchain, left), { recursive: true });
    await ensureArtifact('thing-1', 'building', async () => undefined);
    expect((await readdir(toolchain)).sort()).toEqual(['.thing-1-more-abcDEF', 'thing-1']);
  });

  it('takes over the lock of a process that is gone', async () => {
    await ensureArtifact('thing-0', 'building', async () => undefined);
    const noSuchProcess = 4_194_305;
    await writeFile(path.join(root, 'toolchain', 'thing-1.lock'), String(noSuchProcess));
    await ensureArtifact('thing-1', 'building', async () => undefined);
    expect((await readdir(path.join(root, 'toolchain'))).sort()).toEqual(['thing-0', 'thing-1']);
  });
});

describe('withLock', () => {
  it('lets one in at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all([withLock('x', 'x', work), withLock('x', 'x', work)]);
    expect(most).toBe(1);
  });
});

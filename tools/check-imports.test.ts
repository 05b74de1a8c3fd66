import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPOSITORY } from './cache';
import { findViolations } from './check-imports';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'imports-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

async function write(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(path.join(root, file)), { recursive: true });
  await writeFile(path.join(root, file), content);
}

async function found(): Promise<readonly string[]> {
  return (await findViolations(root)).map(({ file, line, imports }) => `${file}:${line} ${imports}`);
}

describe('check-imports', () => {
  it('finds nothing in this repository', async () => {
    expect(await findViolations(REPOSITORY)).toEqual([]);
  });

  it('finds an agent that imports the program', async () => {
    await write(
      'agent/host/main.ts',
      "import type { A } from '../../infra/contract/a';\nimport { b } from '../../infra/b';\n",
    );
    expect(await found()).toEqual(['agent/host/main.ts:2 infra/b']);
  });

  it.each([
    ["export * from '../lab/names';", 'lab/names'],
    ["import names = require('../lab/names');", 'lab/names'],
    ["const names = require('../lab/names');", 'lab/names'],
    ["void import('../lab/names');", 'lab/names'],
    ["type N = import('../lab/names').Names;", 'lab/names'],
    ["jest.mock('../lab/names');", 'lab/names'],
  ])('finds every form of import: %s', async (line, imports) => {
    await write('components/site.ts', line);
    expect(await found()).toEqual([`components/site.ts:1 ${imports}`]);
  });

  it.each([
    ['stacks/index.ts', '../components/site', true],
    ['stacks/index.ts', '../infra/config', true],
    ['stacks/index.ts', '../agent/main', false],
    ['components/site.ts', '../stacks/index', false],
    ['scripts/drill.ts', '../infra/contract/site-spec', true],
    ['scripts/drill.ts', '../infra/config', false],
    ['scripts/drill.ts', '../infra/contracts', false],
    ['lab/up.ts', '../tools/run', true],
    ['lab/up.ts', '../agent/lease', false],
    ['tools/x.ts', '../infra/contract/site-spec', false],
    ['tools/x.ts', './run', true],
  ])('from %s, %s: %s', async (file, imports, allowed) => {
    await write(file, `import * as x from '${imports}';`);
    expect(await found()).toHaveLength(allowed ? 0 : 1);
  });

  it('minds neither packages nor folders that are not ours', async () => {
    await write(
      'agent/main.ts',
      "import fs from 'node:fs';\nimport p from '../package.json';\nimport 'infra';\n",
    );
    expect(await found()).toEqual([]);
  });
});

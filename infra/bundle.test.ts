import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAgentBundle, BundleBuildError, type BundlePaths } from './bundle';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'failover-bundle-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function checkout(name: string, source: string): BundlePaths {
  const root = join(folder, name);
  mkdirSync(join(root, 'agent'), { recursive: true });
  writeFileSync(join(root, 'agent', 'greeting.ts'), `export const greeting: string = 'hello';\n`);
  writeFileSync(join(root, 'agent', 'main.ts'), source);
  return { entry: join(root, 'agent', 'main.ts'), output: join(root, 'dist', 'failover-agent.js') };
}
const SOURCE = `import { greeting } from './greeting';\nconsole.log(greeting);\n`;

describe('buildAgentBundle', () => {
  it('makes one file that runs by itself, named by its hash', () => {
    const { path, sha256, release } = buildAgentBundle(checkout('a', SOURCE));
    expect(execFileSync(process.execPath, [path], { encoding: 'utf8' })).toBe('hello\n');
    expect(sha256).toBe(createHash('sha256').update(readFileSync(path)).digest('hex'));
    expect(release).toBe(sha256.slice(0, 12));
  });

  it('gives the same bytes wherever the checkout lies', () => {
    expect(buildAgentBundle(checkout('b/deeper', SOURCE)).sha256).toBe(
      buildAgentBundle(checkout('a', SOURCE)).sha256,
    );
  });

  it('does not touch the file when nothing changed, so that stacks may be deployed side by side', () => {
    const paths = checkout('a', SOURCE);
    buildAgentBundle(paths);
    const before = statSync(paths.output);
    buildAgentBundle(paths);
    expect(statSync(paths.output).ino).toBe(before.ino);
  });

  it('leaves no half-written file behind', () => {
    const paths = checkout('a', SOURCE);
    buildAgentBundle(paths);
    expect(readdirSync(join(folder, 'a', 'dist'))).toEqual(['failover-agent.js']);
  });

  it('refuses a checkout without the agent', () => {
    const paths = { entry: join(folder, 'agent', 'main.ts'), output: join(folder, 'dist', 'x.js') };
    expect(() => buildAgentBundle(paths)).toThrow(BundleBuildError);
    expect(() => buildAgentBundle(paths)).toThrow(
      /BUNDLE_BUILD_FAILED: expected the agent's source at .*main\.ts/,
    );
  });

  it('refuses source that does not build, and says where', () => {
    expect(() => buildAgentBundle(checkout('a', `import './none-such';\n`))).toThrow(
      /agent\/main\.ts:1:7.*none-such/s,
    );
  });
});

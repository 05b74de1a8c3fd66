/** Files that a local command left, as assets: those that a list of glob rules selects. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { archive, asset, type Wire } from '../protocol/values';

export async function collectAssets(directory: string, globs: readonly string[]): Promise<Wire> {
  const assets: Record<string, Wire> = {};
  for (const { name, hash } of await select(directory, globs)) {
    assets[name] = asset({ hash, path: path.join(directory, name) });
  }
  return assets;
}

export async function collectArchive(directory: string, globs: readonly string[]): Promise<Wire> {
  const files = await select(directory, globs);
  const digest = createHash('sha256');
  for (const { name, hash } of files) digest.update(`${name}\0${hash}\n`);
  return archive({ hash: digest.digest('hex'), assets: await collectAssets(directory, globs) });
}

async function select(
  directory: string,
  globs: readonly string[],
): Promise<readonly { readonly name: string; readonly hash: string }[]> {
  const rules = globs.map((glob) => ({
    exclude: glob.startsWith('!'),
    pattern: globToRegExp(glob.replace(/^!/, '')),
  }));
  const chosen: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const name = path.relative(directory, path.join(entry.parentPath, entry.name)).split(path.sep).join('/');
    let taken = false;
    for (const { exclude, pattern } of rules) if (pattern.test(name)) taken = !exclude;
    if (taken) chosen.push(name);
  }
  return Promise.all(
    chosen.sort().map(async (name) => ({
      name,
      hash: createHash('sha256')
        .update(await readFile(path.join(directory, name)))
        .digest('hex'),
    })),
  );
}

/** `*` stops at `/`, `**` does not; `?`, `[a-c]`, `[!a]`, `{a,b}` and `\` as usual. Exported for tests. */
export function globToRegExp(glob: string): RegExp {
  let source = '';
  let alternatives = 0;
  for (let i = 0; i < glob.length; i++) {
    const character = glob[i] as string;
    if (character === '*') {
      const any = glob[i + 1] === '*';
      while (glob[i + 1] === '*') i++;
      source += any ? '.*' : '[^/]*';
    } else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const end = glob.indexOf(']', i + 2);
      source += `[${glob
        .slice(i + 1, end)
        .replace(/^!/, '^')
        .replace(/\\/g, '\\\\')}]`;
      i = end;
    } else if (character === '{') {
      source += '(?:';
      alternatives++;
    } else if (character === '}' && alternatives > 0) {
      source += ')';
      alternatives--;
    } else if (character === ',' && alternatives > 0) source += '|';
    else {
      const literal = character === '\\' ? (glob[++i] ?? '\\') : character;
      source += literal.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 's');
}

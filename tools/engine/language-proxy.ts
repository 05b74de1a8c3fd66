/**
 * What lets a built engine run policy packs. Its Node language host is an older one that cannot start them; a thin host
 * of our own, `go-language-proxy`, takes its name, starts it and hands on to it all that it can do.
 */
import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ensureArtifact } from '../cache';
import { goBuild } from '../go';
import { VERSIONS } from '../versions';

const SOURCES = path.join(__dirname, 'go-language-proxy');
const HOST = 'pulumi-language-nodejs';
/** The name under which `go-language-proxy` looks for the older host beside itself. */
const OLDER_HOST = 'pulumi-language-nodejs-older';

/** Answers a folder with all that the given one has, and a Node language host that also runs policy packs. */
export async function withPolicyPacks(engineBin: string): Promise<string> {
  const folder = await ensureArtifact(
    `pulumi-${VERSIONS.pulumi}-policies-${await sourceHash()}`,
    'building a language host that runs policy packs (4 s, or 1 min without a Go cache)',
    async (target) => {
      const bin = path.join(target, 'bin');
      await mkdir(bin);
      for (const file of await readdir(engineBin))
        await place(path.join(engineBin, file), path.join(bin, file === HOST ? OLDER_HOST : file));
      await goBuild({ module: SOURCES, package: '.', output: path.join(bin, HOST), set: [] });
    },
  );
  return path.join(folder, 'bin');
}

/** Without a copy where it can be. A symbolic link would not do: the engine looks for its hosts beside its real file. */
async function place(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    await copyFile(from, to);
  }
}

async function sourceHash(): Promise<string> {
  const digest = createHash('sha256');
  for (const file of (await readdir(SOURCES)).sort())
    digest.update(`${file}\0`).update(await readFile(path.join(SOURCES, file)));
  return digest.digest('hex').slice(0, 12);
}

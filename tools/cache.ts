/**
 * The cache of everything that is built or downloaded once: one folder per artefact and version, made in a
 * temporary folder beside it and renamed when whole, so an interruption leaves nothing half done. A lock per
 * artefact lets two commands (or two checkouts with the same FAILOVER_CACHE) wait for each other.
 */
import { chmod, mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Root of the checkout. */
export const REPOSITORY = path.resolve(__dirname, '..');

/** Where artefacts live; FAILOVER_CACHE moves it, to share it between checkouts. */
export function cacheRoot(): string {
  return path.resolve(process.env['FAILOVER_CACHE'] ?? path.join(REPOSITORY, '.cache'));
}

/** Tells the person at the terminal what is going on; stderr, so that stdout stays for results. */
export function progress(message: string): void {
  process.stderr.write(`[${new Date().toISOString().slice(11, 19)}] ${message}\n`);
}

/**
 * Answers the folder of an artefact, building it first where it is missing.
 *
 * @param name artefact and version, e.g. `pulumi-3.246.0`; change it when the recipe changes
 * @param describe what to tell while building, e.g. `building the Pulumi engine (about 3 min)`
 * @param build fills the empty folder that it is given
 */
export async function ensureArtifact(
  name: string,
  describe: string,
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const root = path.join(cacheRoot(), 'toolchain');
  const folder = path.join(root, name);
  if (await exists(folder)) return folder;
  await mkdir(root, { recursive: true });
  const release = await lock(path.join(root, `${name}.lock`), describe);
  try {
    if (await exists(folder)) return folder;
    progress(`${describe} …`);
    const started = Date.now();
    const temporary = await mkdtemp(path.join(root, `.${name}-`));
    try {
      await build(temporary);
      await chmod(temporary, 0o755); // servers' own users read parts of the cache; mkdtemp makes it private
      await rename(temporary, folder);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    progress(`${name} is ready (${Math.round((Date.now() - started) / 1000)} s)`);
    return folder;
  } finally {
    await release();
  }
}

export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Does something that must not run twice at a time on one cache, e.g. changing a shared folder in place. */
export async function withLock<T>(name: string, purpose: string, work: () => Promise<T>): Promise<T> {
  const root = path.join(cacheRoot(), 'toolchain');
  await mkdir(root, { recursive: true });
  const release = await lock(path.join(root, `${name}.lock`), purpose);
  try {
    return await work();
  } finally {
    await release();
  }
}

/** An exclusive lock file that holds its owner's pid; one whose owner is gone is taken over. */
async function lock(file: string, purpose: string): Promise<() => Promise<void>> {
  let told = false;
  for (;;) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number((await readFile(file, 'utf8').catch(() => '')).trim());
    if (owner > 0 && !isAlive(owner)) {
      await rm(file, { force: true });
      continue;
    }
    if (!told) progress(`waiting for process ${owner}: ${purpose}`);
    told = true;
    await delay(500);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

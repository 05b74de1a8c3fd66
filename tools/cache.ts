/**
 * The cache of everything that is built or downloaded once: one folder per artefact and version, made in a
 * temporary folder beside it and renamed when whole, so an interruption leaves nothing half done. A lock per
 * artefact lets two commands (or two checkouts with the same FAILOVER_CACHE) wait for each other.
 */
import { randomBytes } from 'node:crypto';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
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
    await clearHalfBuilt(root, name);
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
    if (await claim(file)) return () => rm(file, { force: true });
    const owner = Number((await readIfThere(file)).trim());
    if (owner > 0 && !isAlive(owner)) {
      await clearStale(file);
      continue;
    }
    if (!told && owner > 0) {
      progress(`waiting for process ${owner}: ${purpose}`);
      told = true;
    }
    await delay(owner > 0 ? 500 : 20);
  }
}

/** Makes the lock with its owner in it in one step: a file that is linked under its name when it is complete. */
async function claim(file: string): Promise<boolean> {
  const mine = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(mine, String(process.pid));
  try {
    await link(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(mine, { force: true });
  }
}

/** Moves a dead owner's lock away; a living one's, which came in between, goes back. */
async function clearStale(file: string): Promise<void> {
  const away = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(file, away);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const owner = Number((await readIfThere(away)).trim());
  if (owner > 0 && isAlive(owner)) await rename(away, file);
  else await rm(away, { force: true });
}

async function readIfThere(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
}

/** Folders of builds that were killed; only the holder of the artefact's lock may clear them. */
async function clearHalfBuilt(root: string, name: string): Promise<void> {
  for (const entry of await readdir(root)) {
    const suffix = entry.startsWith(`.${name}-`) ? entry.slice(name.length + 2) : '';
    if (/^[A-Za-z0-9]{6}$/.test(suffix)) await rm(path.join(root, entry), { recursive: true, force: true });
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

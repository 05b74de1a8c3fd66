/**
 * One server as a machine: a disk (an overlay on the stock image), a power switch (systemd-nspawn under a small supervisor
 * that starts it again when it reboots) and a cgroup of its own, without which two systemds would share one tree.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exists } from '../tools/cache';
import { LAB_FOLDER, namespace, type Names, type Server } from './names';
import { isAlive, killAll, MARKER, markedProcesses, type ProcessId } from './processes';

export interface Mount {
  readonly from: string;
  readonly to: string;
  /** @default false */
  readonly writable?: boolean;
}

/** A server did not do what it was told in time. */
export class MachineError extends Error {
  readonly code = 'MACHINE';
  constructor(server: string, what: string, log: string) {
    super(`${server} ${what}; its console says:\n${log}`);
    this.name = 'MachineError';
  }
}

export function diskFolder(server: Server): string {
  return path.join(LAB_FOLDER, 'servers', server.name);
}

const file = (server: Server, name: string): string => path.join(diskFolder(server), name);

// --- cgroups ---------------------------------------------------------------------------------------------------------

/** The hierarchies in which systemd keeps processes: both of cgroup v1's hybrid layout, or v2's only one. */
async function hierarchies(): Promise<string[]> {
  const base = '/sys/fs/cgroup';
  if (await exists(`${base}/cgroup.controllers`)) return [base];
  return [`${base}/systemd`, `${base}/unified`];
}

/** Pids on this machine of the processes in a unit of a server; of the whole server without a unit. */
export async function pidsOf(names: Names, server: Server, unit?: string): Promise<number[]> {
  const [hierarchy = ''] = await hierarchies();
  const root = path.join(hierarchy, names.prefix, server.name);
  const pids: number[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
      if (entry.isDirectory()) await walk(path.join(folder, entry.name));
    if (unit !== undefined && !folder.includes(`/${unit}.service`)) return;
    const text = await readFile(path.join(folder, 'cgroup.procs'), 'utf8').catch(() => '');
    pids.push(...text.split('\n').filter(Boolean).map(Number));
  };
  await walk(root);
  return pids;
}

async function removeCgroups(names: Names, server: Server): Promise<void> {
  for (const hierarchy of await hierarchies()) {
    const top = path.join(hierarchy, names.prefix);
    const walk = async (folder: string): Promise<void> => {
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => []))
        if (entry.isDirectory()) await walk(path.join(folder, entry.name));
      await rmdir(folder).catch(ignoreMissing);
    };
    await walk(path.join(top, server.name));
    // Two machines may be removed at once: the folder may be gone at any moment.
    const left = await readdir(top, { withFileTypes: true }).catch(() => []);
    if (left.every((entry) => !entry.isDirectory())) await rmdir(top).catch(ignoreMissing);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

// --- power -----------------------------------------------------------------------------------------------------------

async function supervisor(server: Server): Promise<number | null> {
  const text = await readFile(file(server, 'power.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const power = JSON.parse(text) as ProcessId;
  return (await isAlive(power)) ? power.pid : null;
}

export async function isRunning(server: Server): Promise<boolean> {
  return (await supervisor(server)) !== null;
}

/** Switches the server on; does nothing where it runs. */
export async function powerOn(
  names: Names,
  server: Server,
  image: string,
  mounts: readonly Mount[],
): Promise<void> {
  if (await isRunning(server)) return;
  const folder = diskFolder(server);
  for (const part of ['root', 'work']) await mkdir(path.join(folder, part), { recursive: true });
  await rm(file(server, 'power.json'), { force: true });
  const log = await open(file(server, 'console.log'), 'a');
  const child = spawn(
    'unshare',
    [
      ...['--pid', '--fork', '--kill-child', '--mount', '--propagation', 'private'],
      ...[path.join(__dirname, 'supervise'), folder, image, `${names.prefix}/${server.name}`],
      (await hierarchies()).join(' '),
      ...['--quiet', '--register=no', '--keep-unit', '--boot'],
      ...[`--network-namespace-path=/run/netns/${namespace(names, server.name)}`],
      ...[`--machine=${names.prefix}-${server.name}`, `--hostname=${server.name}`],
      ...['--resolv-conf=off', '--timezone=off', '--link-journal=no', '--console=pipe'],
      '--capability=CAP_NET_ADMIN', // not given by itself with a network namespace that somebody else made
      ...mounts.map(({ from, to, writable }) => `--bind${writable === true ? '' : '-ro'}=${from}:${to}`),
    ],
    {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { PATH: process.env['PATH'] ?? '', [MARKER]: `${names.prefix}-${server.name}` },
    },
  );
  await log.close();
  let failure: string | undefined;
  child.once('error', (error) => (failure = `could not be started: ${error.message}`));
  child.once('exit', (status) => (failure = `was not switched on (status ${status ?? 'unknown'})`));
  while (!(await isRunning(server))) {
    if (failure !== undefined) throw new MachineError(server.name, failure, await consoleTail(server));
    await delay(10);
  }
  child.unref();
}

/** Power loss: every process of the server dies at once. Its disk stays. */
export async function powerOff(names: Names, server: Server): Promise<void> {
  const pid = await supervisor(server);
  // The kernel ends all others with the first; the rest is for what an interruption may have left.
  await killAll(pid === null ? [] : [pid]);
  await killAll(await markedProcesses(`${names.prefix}-${server.name}`));
  await killAll(await pidsOf(names, server));
  await rm(file(server, 'power.json'), { force: true });
  await removeCgroups(names, server);
}

// --- disk ------------------------------------------------------------------------------------------------------------

export async function consoleTail(server: Server): Promise<string> {
  const text = await readFile(file(server, 'console.log'), 'utf8').catch(() => '');
  return text.split('\n').slice(-15).join('\n');
}

/** Makes a server's disk with these files on it, unless it has one: what a provider's installer would have done. */
export async function makeDisk(
  server: Server,
  files: ReadonlyMap<string, { text: string; mode: number }>,
): Promise<void> {
  const upper = file(server, 'upper');
  if (await exists(upper)) return;
  const unfinished = file(server, 'upper.part'); // renamed when whole: an interruption leaves no half-made disk
  await rm(unfinished, { recursive: true, force: true });
  for (const [name, { text, mode }] of files) {
    const target = path.join(unfinished, name);
    await mkdir(path.dirname(target), {
      recursive: true,
      ...(name.includes('/.ssh/') ? { mode: 0o700 } : {}),
    });
    await writeFile(target, text, { mode });
  }
  await rename(unfinished, upper);
}

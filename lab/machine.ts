/**
 * One server as a machine: a disk (an overlay on the stock image), a power switch (systemd-nspawn under a small supervisor
 * that starts it again when it reboots) and a cgroup of its own, without which two systemds would share one tree.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exists } from '../tools/cache';
import { run } from '../tools/run';
import { LAB_FOLDER, namespace, type Names, type Server } from './names';

export interface Mount {
  readonly from: string;
  readonly to: string;
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
    if (
      (await exists(top)) &&
      (await readdir(top, { withFileTypes: true })).every((entry) => !entry.isDirectory())
    )
      await rmdir(top);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

// --- power -----------------------------------------------------------------------------------------------------------

interface Power {
  readonly pid: number;
  /** Start time of the process in clock ticks since boot: a pid alone may have been used again. */
  readonly startTime: string;
}

async function startTime(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' ? null : (fields[19] ?? null);
}

async function supervisor(server: Server): Promise<number | null> {
  const text = await readFile(file(server, 'power.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const power = JSON.parse(text) as Power;
  return (await startTime(power.pid)) === power.startTime ? power.pid : null;
}

export async function isRunning(server: Server): Promise<boolean> {
  return (await supervisor(server)) !== null;
}

/** A reboot ends nspawn with status 133; anything else is a power-off. */
const SUPERVISE = `
for hierarchy in $1; do mkdir -p "$hierarchy/$2"; echo $$ > "$hierarchy/$2/cgroup.procs"; done
shift 2
while :; do
  systemd-nspawn "$@"
  [ $? = 133 ] || exit 0
done`;

/** Mounts the disk and switches the server on; does nothing where it runs. */
export async function powerOn(
  names: Names,
  server: Server,
  image: string,
  mounts: readonly Mount[],
): Promise<void> {
  if (await isRunning(server)) return;
  const root = await mountDisk(server, image);
  const log = await open(file(server, 'console.log'), 'a');
  const child = spawn(
    'bash',
    [
      ...[
        '-c',
        SUPERVISE,
        `lab-${server.name}`,
        (await hierarchies()).join(' '),
        `${names.prefix}/${server.name}`,
      ],
      ...['--quiet', '--register=no', '--keep-unit', '--boot', '-D', root],
      ...[`--network-namespace-path=/run/netns/${namespace(names, server.name)}`],
      ...[`--machine=${names.prefix}-${server.name}`, `--hostname=${server.name}`],
      ...['--resolv-conf=off', '--timezone=off', '--link-journal=no', '--console=pipe'],
      ...mounts.map((mount) => `--bind-ro=${mount.from}:${mount.to}`),
    ],
    { detached: true, stdio: ['ignore', log.fd, log.fd] },
  );
  child.unref();
  await log.close();
  const pid = child.pid ?? 0;
  await writeFile(
    file(server, 'power.json'),
    JSON.stringify({ pid, startTime: (await startTime(pid)) ?? '' }),
  );
}

/** Power loss: every process of the server dies at once. Its disk stays. */
export async function powerOff(names: Names, server: Server): Promise<void> {
  const pid = await supervisor(server);
  if (pid !== null) process.kill(pid, 'SIGKILL'); // first, or it would boot again
  for (let tries = 0; tries < 200; tries += 1) {
    const pids = await pidsOf(names, server);
    if (pids.length === 0) break;
    for (const victim of pids) kill(victim);
    await delay(25);
  }
  const left = await pidsOf(names, server);
  if (left.length > 0)
    throw new MachineError(server.name, `still has processes ${left.join(', ')} after SIGKILL`, '');
  await rm(file(server, 'power.json'), { force: true });
  await unmount(file(server, 'root'));
  await removeCgroups(names, server);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// --- disk ------------------------------------------------------------------------------------------------------------

async function mountDisk(server: Server, image: string): Promise<string> {
  const root = file(server, 'root');
  const [upper, work] = [file(server, 'upper'), file(server, 'work')];
  for (const folder of [root, upper, work]) await mkdir(folder, { recursive: true });
  if (!(await isMounted(root)))
    await run('mount', [
      '-t',
      'overlay',
      'overlay',
      '-o',
      `lowerdir=${image},upperdir=${upper},workdir=${work}`,
      root,
    ]);
  return root;
}

async function isMounted(folder: string): Promise<boolean> {
  return (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .some((line) => line.split(' ')[1] === folder);
}

async function unmount(folder: string): Promise<void> {
  while (await isMounted(folder)) await run('umount', [folder]);
}

export async function consoleTail(server: Server): Promise<string> {
  const text = await readFile(file(server, 'console.log'), 'utf8').catch(() => '');
  return text.split('\n').slice(-15).join('\n');
}

/** Writes files into the server's disk before its first boot: what a provider's installer would have done. */
export async function provision(
  server: Server,
  files: ReadonlyMap<string, { text: string; mode: number }>,
): Promise<void> {
  for (const [name, { text, mode }] of files) {
    const target = path.join(file(server, 'upper'), name);
    await mkdir(path.dirname(target), {
      recursive: true,
      ...(name.includes('/.ssh/') ? { mode: 0o700 } : {}),
    });
    await writeFile(target, text, { mode });
  }
}

/** The machine's processes. Whatever the lab ends, it ends by pid, after making sure that it is its own. */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Environment of every supervisor; the value is `<prefix>-<server>`. */
export const MARKER = 'FAILOVER_LAB_SERVER';
const END_LIMIT_MS = 20_000;

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since the machine's start: a pid alone may have been used again. */
  readonly startTime: string;
}

/** Processes of the lab were killed and are still there. */
export class ProcessesRemainError extends Error {
  readonly code = 'PROCESSES_REMAIN';
  constructor(pids: readonly number[]) {
    super(
      `processes ${pids.join(', ')} were killed and are still there after ${END_LIMIT_MS / 1000} s, ` +
        'waiting for a disk perhaps: run the command again',
    );
    this.name = 'ProcessesRemainError';
  }
}

/** Start time from the text of /proc/PID/stat; null of a process that only waits to be collected. Exported for tests. */
export function startTimeIn(text: string): string | null {
  // A command's name may hold anything, so count from its closing bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

export async function startTime(pid: number): Promise<string | null> {
  return startTimeIn(await unlessGone(readFile(`/proc/${pid}/stat`, 'utf8')));
}

export async function isAlive({ pid, startTime: expected }: ProcessId): Promise<boolean> {
  return (await startTime(pid)) === expected;
}

/** Processes that carry the marker with this value; a value that ends with a hyphen stands for a whole lab. */
export async function markedProcesses(value: string): Promise<number[]> {
  const wanted = `${MARKER}=${value}`;
  return select(async (pid) =>
    (await unlessGone(readFile(`/proc/${pid}/environ`, 'utf8')))
      .split('\0')
      .some((entry) => (value.endsWith('-') ? entry.startsWith(wanted) : entry === wanted)),
  );
}

/** Processes in any of these network namespaces, given as files such as /run/netns/NAME. */
export async function processesIn(namespaces: readonly string[]): Promise<number[]> {
  const links = new Set(await Promise.all(namespaces.map(async (file) => `net:[${(await stat(file)).ino}]`)));
  if (links.size === 0) return [];
  return select(async (pid) => links.has(await unlessGone(readlink(`/proc/${pid}/ns/net`))));
}

/** SIGKILL, and answers when all are gone. */
export async function killAll(pids: readonly number[]): Promise<void> {
  const targets: ProcessId[] = [];
  for (const pid of pids) {
    const began = await startTime(pid);
    if (began === null) continue;
    targets.push({ pid, startTime: began });
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  const deadline = Date.now() + END_LIMIT_MS;
  for (;;) {
    const left: number[] = [];
    for (const target of targets) if (await isAlive(target)) left.push(target.pid);
    if (left.length === 0) return;
    if (Date.now() > deadline) throw new ProcessesRemainError(left);
    await delay(20);
  }
}

async function select(test: (pid: number) => Promise<boolean>): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (await test(pid)) found.push(pid);
  }
  return found;
}

/** Empty when the process has ended meanwhile, or is one that nobody may look at. */
async function unlessGone(reading: Promise<string>): Promise<string> {
  return reading.catch((error: unknown) => {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  });
}

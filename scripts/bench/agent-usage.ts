/** What the agent's process uses while nothing is asked of it, from /proc. */
import { readFile, readdir, readlink } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux that node runs on

export interface Usage {
  readonly rssMiB: number;
  /** Share of one core. */
  readonly cpuShare: number;
  readonly seconds: number;
}

/** The agent in this network namespace; null when there is none, or more than one and it cannot be told which. */
export async function findAgent(): Promise<number | null> {
  const own = await readlink('/proc/self/ns/net');
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const words = (await readFile(`/proc/${entry}/cmdline`, 'utf8')).split('\0');
      if (!words.some((word) => word.endsWith('failover-agent.js')) || !words.includes('run')) continue;
      if ((await readlink(`/proc/${entry}/ns/net`)) === own) found.push(Number(entry));
    } catch (error) {
      // Processes end while they are being looked at, and some may not be looked at.
      if (!['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return found.length === 1 ? (found[0] ?? null) : null;
}

export async function usageOf(pid: number, seconds: number): Promise<Usage> {
  const before = await cpuTicks(pid);
  const started = performance.now();
  await delay(seconds * 1000);
  const ticks = (await cpuTicks(pid)) - before;
  const elapsed = (performance.now() - started) / 1000;
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'));
  return {
    rssMiB: Number(rss?.[1] ?? Number.NaN) / 1024,
    cpuShare: ticks / TICKS_PER_SECOND / elapsed,
    seconds: elapsed,
  };
}

async function cpuTicks(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may hold anything, so count from its end: utime and stime are the 14th and 15th fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

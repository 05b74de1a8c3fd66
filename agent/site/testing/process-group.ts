/** Ends a server with everything that it started, as systemd does with a unit's cgroup. */

/** Signals every process of the group; false once nobody is left in it. */
export function signalGroup(leader: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Resolves when the last process of the group is gone. */
export async function killGroup(leader: number): Promise<void> {
  const endsAt = Date.now() + 10_000;
  while (signalGroup(leader, 'SIGKILL')) {
    if (Date.now() > endsAt) throw new Error(`processes of group ${leader} outlive SIGKILL`);
    await new Promise((wait) => setTimeout(wait, 10));
  }
}

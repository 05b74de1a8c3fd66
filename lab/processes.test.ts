import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { isAlive, killAll, MARKER, markedProcesses, processesIn, startTime, startTimeIn } from './processes';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A process that says when it runs, so that its environment is its own already. */
async function sleeper(marker: string): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn('sh', ['-c', 'echo running; read -r _'], {
    env: { PATH: process.env['PATH'] ?? '', [MARKER]: marker },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  children.push(child);
  if (child.stdout === null) throw new TypeError('expected a pipe');
  await once(child.stdout, 'data');
  return { child, pid: child.pid ?? 0 };
}

describe('startTimeIn', () => {
  const fields = ['S', ...Array.from({ length: 18 }, () => '0'), '4711', 'rest'].join(' ');

  it('counts from the closing bracket, whatever the command is called', () => {
    expect(startTimeIn(`12 (a) b (c) ${fields}`)).toBe('4711');
  });

  it('takes a process that only waits to be collected for gone', () => {
    expect(startTimeIn(`12 (sh) ${fields.replace('S', 'Z')}`)).toBeNull();
  });

  it('takes no text for gone', () => {
    expect(startTimeIn('')).toBeNull();
  });
});

describe('isAlive', () => {
  it('does not take a later process with the same pid for the one that was meant', async () => {
    const began = (await startTime(process.pid)) ?? '';
    expect(await isAlive({ pid: process.pid, startTime: began })).toBe(true);
    expect(await isAlive({ pid: process.pid, startTime: `${Number(began) - 1}` })).toBe(false);
  });
});

describe('markedProcesses', () => {
  const lab = `unit${process.pid}`;

  it('finds the processes of one server, and those of the whole lab', async () => {
    const one = await sleeper(`${lab}-uk-1`);
    const eleven = await sleeper(`${lab}-uk-11`);
    expect(await markedProcesses(`${lab}-uk-1`)).toEqual([one.pid]);
    expect((await markedProcesses(`${lab}-`)).sort()).toEqual([one.pid, eleven.pid].sort());
  });

  it("does not find another lab's processes", async () => {
    await sleeper(`${lab}0-uk-1`);
    expect(await markedProcesses(`${lab}-`)).toEqual([]);
  });
});

describe('processesIn', () => {
  it('finds nothing where there is no namespace', async () => {
    expect(await processesIn([])).toEqual([]);
  });
});

describe('killAll', () => {
  it('ends exactly the processes given, and answers when they are gone', async () => {
    const victim = await sleeper('victim');
    const other = await sleeper('other');
    await killAll([victim.pid]);
    expect(await startTime(victim.pid)).toBeNull();
    expect(await startTime(other.pid)).not.toBeNull();
  });

  it('does nothing about a process that is gone already', async () => {
    const { child, pid } = await sleeper('gone');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await expect(killAll([pid])).resolves.toBeUndefined();
  });
});

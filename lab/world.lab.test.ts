/** The lab itself: boots, breaks, mends, and leaves nothing behind. In checkouts of its own, beside any other lab. */
import { readdir, rm, symlink } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../tools/run';
import { address, namespace, PLACES } from './names';
import { resolverText } from './network';
import { markedProcesses } from './processes';
import { TestCheckout } from './testing/checkout';

let here: TestCheckout;

beforeAll(async () => {
  here = await TestCheckout.make();
  await here.lab('up');
});
afterAll(async () => here.remove());

const bootId = (server: string): Promise<string> => here.ssh(server, 'cat /proc/sys/kernel/random/boot_id');

async function until(what: string, condition: () => Promise<boolean>, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain until ${what}`);
    await delay(10);
  }
}

const answersSsh = (server: string): Promise<boolean> =>
  here.ssh(server, 'true').then(
    () => true,
    () => false,
  );

/** Whether packets sent at one place arrive at another. */
async function arrive(from: 'uk' | 'eu' | 'client', to: 'uk' | 'eu' | 'client'): Promise<boolean> {
  const target = address(here.names, to, 1);
  const at = (place: typeof from, ...words: string[]): Promise<string> =>
    run('ip', ['netns', 'exec', namespace(here.names, place === 'client' ? place : `${place}-1`), ...words]);
  const listen =
    'import socket,sys; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind((sys.argv[1],9999)); s.settimeout(3); s.recv(9)';
  const [arrived] = await Promise.all([
    at(to, 'python3', '-c', listen, target).then(
      () => true,
      () => false,
    ),
    at(from, 'bash', '-c', `for i in {1..30}; do echo x > /dev/udp/${target}/9999; sleep 0.1; done`),
  ]);
  return arrived;
}

describe('up', () => {
  it('boots Debian servers with systemd that let the operator in', async () => {
    expect(await here.ssh('uk-1', 'cat /proc/1/comm; hostname; systemctl is-system-running --wait')).toBe(
      'systemd\nuk-1\nrunning',
    );
    expect((await here.status()).up).toBe(true);
  });

  it('does nothing the second time', async () => {
    const before = await Promise.all(['uk-1', 'eu-1', 'witness-1'].map(bootId));
    await here.lab('up');
    expect(await Promise.all(['uk-1', 'eu-1', 'witness-1'].map(bootId))).toEqual(before);
  });

  it("puts nothing into the machine's own network", async () => {
    const mine = (name: string): boolean => (PLACES as readonly string[]).includes(name) || /^p-/.test(name);
    expect((await readdir('/sys/class/net')).filter(mine)).toEqual([]);
  });

  it('has no way out', async () => {
    const wan = `${here.names.prefix}-wan`;
    await expect(run('ip', ['-n', wan, 'route', 'get', '192.0.2.1'])).rejects.toThrow(/unreachable/);
  });

  it('lets apt install from the servers’ own packages, Debian’s Node among them', async () => {
    const script =
      'apt-get -qq update && apt-get -qq install -y --no-install-recommends sqlite3 >/dev/null 2>&1 && sqlite3 --version';
    expect(await here.ssh('witness-1', script)).toMatch(/^3\./);
    expect(await here.ssh('witness-1', 'apt-cache policy nodejs | grep Candidate')).toContain(' 18.');
  });

  it('asks the zone’s nameservers for names, on servers and among the clients', async () => {
    const resolvers = resolverText(here.names);
    expect(`${await here.ssh('uk-1', 'cat /etc/resolv.conf')}\n`).toContain(resolvers);
    expect(await here.lab('exec', '--', 'cat', '/etc/resolv.conf')).toContain(resolvers);
  });

  it('refuses without root, in one sentence', async () => {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', here.program, 'up'];
    await expect(run('setpriv', nobody)).rejects.toThrow(
      /status 1:\nThe lab makes network namespaces and boots servers, which needs root: [^\n]*$/,
    );
  });
});

describe('faults', () => {
  it('boots a server again that reboots itself, its disk as it was', async () => {
    const before = await bootId('eu-1');
    await here.ssh('eu-1', 'echo kept > /var/lib/kept && systemctl reboot').catch(() => ''); // the connection may break
    await until('eu-1 is back', async () => (await bootId('eu-1').catch(() => before)) !== before);
    expect(await here.ssh('eu-1', 'cat /var/lib/kept')).toBe('kept');
  });

  it('takes power and network away at once, and gives them back with the disk as it was', async () => {
    await here.ssh('uk-1', 'echo kept > /var/lib/kept');
    await here.lab('fault', 'kill', 'uk');
    expect((await here.status()).servers.map(({ running }) => running)).toEqual([false, true, true]);
    expect(await answersSsh('uk-1')).toBe(false);
    await here.lab('fault', 'revive', 'uk');
    expect(await here.ssh('uk-1', 'cat /var/lib/kept')).toBe('kept');
    expect((await here.status()).up).toBe(true);
  });

  it('can be made from inside of the lab’s own network, as a drill does', async () => {
    const inside = (...words: string[]): Promise<string> => here.lab('exec', '--', here.program, ...words);
    await inside('fault', 'kill', 'eu-1');
    expect(await answersSsh('eu-1')).toBe(false);
    await inside('fault', 'revive', 'eu-1');
    expect(await answersSsh('eu-1')).toBe(true);
  });

  it('isolates a place in both directions, and heals it', async () => {
    await here.lab('fault', 'isolate', 'eu');
    expect(await answersSsh('eu-1')).toBe(false);
    expect(await answersSsh('uk-1')).toBe(true);
    await here.lab('fault', 'heal');
    expect(await answersSsh('eu-1')).toBe(true);
  });

  it('isolates a place in one direction only', async () => {
    await here.lab('fault', 'isolate-in', 'eu');
    expect(await arrive('client', 'eu')).toBe(false);
    expect(await arrive('eu', 'client')).toBe(true);
    await here.lab('fault', 'heal');
    await here.lab('fault', 'isolate-out', 'eu');
    expect(await arrive('client', 'eu')).toBe(true);
    expect(await arrive('eu', 'client')).toBe(false);
    await here.lab('fault', 'heal');
  });

  it('cuts two places off from each other and from nobody else', async () => {
    await here.lab('fault', 'partition', 'uk', 'eu');
    expect(await arrive('uk', 'eu')).toBe(false);
    expect(await arrive('eu', 'uk')).toBe(false);
    expect(await arrive('uk', 'client')).toBe(true);
    await here.lab('fault', 'heal');
    expect(await arrive('uk', 'eu')).toBe(true);
  });

  it('hangs the processes of a unit that match, and no others, then lets them go on', async () => {
    await here.ssh('uk-1', `systemd-run --quiet --unit=hangs bash -c 'sleep 1111 & sleep 2222'`);
    const states = (): Promise<string> =>
      here.ssh('uk-1', 'for s in 1111 2222; do ps -o stat= -p $(pgrep -fx "sleep $s") | cut -c1; done');
    await here.lab('fault', 'stop-process', 'uk-1', 'hangs', 'sleep 1111');
    expect(await states()).toBe('T\nS');
    await here.lab('fault', 'cont-process', 'uk-1', 'hangs', 'sleep 1111');
    expect(await states()).toBe('S\nS');
    expect(await here.refused('fault', 'stop-process', 'uk-1', 'hangs', 'absent')).toContain(
      'nothing was signalled',
    );
  });

  it('are gone after the next up, whatever they were', async () => {
    await here.lab('fault', 'isolate', 'witness');
    await here.lab('fault', 'kill', 'uk');
    await here.lab('up');
    expect(await answersSsh('witness-1')).toBe(true);
    expect(await answersSsh('uk-1')).toBe(true);
  });
});

describe('more than one', () => {
  it('adds a server to a place, and refuses to take it away again', async () => {
    const before = await bootId('uk-1');
    await here.lab('up', '--servers', 'uk=2');
    expect(await here.ssh('uk-2', 'hostname')).toBe('uk-2');
    expect(await bootId('uk-1')).toBe(before);
    expect(await here.refused('up', '--servers', 'uk=1')).toContain('run lab/lab down first');
  });

  it('has two checkouts’ labs side by side, and takes down only its own', async () => {
    const there = await TestCheckout.make();
    try {
      await there.lab('up');
      expect(there.names.prefix).not.toBe(here.names.prefix);
      expect((await there.status()).up).toBe(true);
      expect((await here.status()).up).toBe(true);
      await there.lab('down');
      expect(await there.traces()).toEqual([]);
      expect(await answersSsh('eu-1')).toBe(true);
    } finally {
      await there.remove();
    }
  });

  it('refuses names that another checkout’s lab has, and says whose they are', async () => {
    const there = await TestCheckout.make();
    const registry = `/run/failover-lab-${there.names.prefix}`;
    await symlink('/another/checkout', registry);
    try {
      expect(await there.refused('up')).toContain('/another/checkout');
      expect(await there.refused('down')).toContain('/another/checkout');
    } finally {
      await rm(registry);
      await there.remove();
    }
  });
});

describe('interruptions', () => {
  let there: TestCheckout;
  beforeEach(async () => {
    there = await TestCheckout.make();
  });
  afterEach(async () => there.remove());

  /** Ends a command and everything it started in its group, at the moment given. */
  async function interrupt(words: readonly string[], moment: () => Promise<boolean>): Promise<void> {
    const command = there.start(...words);
    const ended = new Promise<void>((resolve) => command.once('exit', () => resolve()));
    await until(`\`lab ${words.join(' ')}\` gets to where it is to be killed`, moment);
    process.kill(-(command.pid ?? 0), 'SIGKILL');
    await ended;
  }
  const has = async (part: string): Promise<boolean> =>
    (await there.traces()).some((trace) => trace.includes(part));

  it.each([
    ['its names are taken', 'failover-lab-'],
    ['its router is being made', '-wan'],
    ['its servers are being connected', '-uk-1'],
    ['its servers are being switched on', 'marked process'],
    ['its servers are booting', 'systemd-nspawn'],
  ])('can be taken down when up was killed while %s', async (_, sign) => {
    await interrupt(['up'], () => has(sign));
    await there.lab('down');
    expect(await there.traces()).toEqual([]);
  });

  it('goes on where an up was killed', async () => {
    await interrupt(['up'], () => has('systemd-nspawn'));
    await there.lab('up');
    expect((await there.status()).up).toBe(true);
    await there.lab('down');
    expect(await there.traces()).toEqual([]);
  });

  it('finishes a down that was killed', async () => {
    await there.lab('up');
    await interrupt(['down'], async () => (await markedProcesses(`${there.names.prefix}-uk-1`)).length === 0);
    await there.lab('down');
    expect(await there.traces()).toEqual([]);
  });

  it('takes a server whose supervisor or nspawn was killed for one without power, and boots it again', async () => {
    await there.lab('up');
    const find = async (server: string, program: string): Promise<number> => {
      const machine = `--machine=${there.names.prefix}-${server}`;
      const line = (await run('ps', ['-e', '-ww', '-o', 'pid=,args=']))
        .split('\n')
        .map((each) => each.trim())
        .find((each) => each.includes(machine) && (each.split(' ')[1] ?? '').endsWith(program));
      return Number(line?.split(' ')[0]);
    };
    process.kill(await find('uk-1', 'unshare'), 'SIGKILL');
    process.kill(await find('eu-1', 'systemd-nspawn'), 'SIGKILL');
    await until('both are off', async () => {
      const { servers } = await there.status();
      return servers.filter(({ running }) => !running).length === 2;
    });
    expect((await there.traces()).filter((trace) => /overlay/.test(trace))).toEqual([]);
    await there.lab('up');
    expect((await there.status()).up).toBe(true);
    await there.lab('down');
    expect(await there.traces()).toEqual([]);
  });
});

describe('down', () => {
  it('ends what still uses the network and leaves nothing behind', async () => {
    const client = here.start('exec', '--', 'sleep', '3333');
    await until('the client runs', async () =>
      (await run('ps', ['-e', '-o', 'args='])).includes('sleep 3333'),
    );
    await here.lab('down');
    expect(client.exitCode ?? client.signalCode).not.toBeUndefined();
    expect(await here.traces()).toEqual([]);
    expect((await here.status()).up).toBe(false);
  });

  it('does nothing the second time', async () => {
    await here.lab('down');
    expect(await here.traces()).toEqual([]);
  });
});

/**
 * The whole thing in the order in which a newcomer lives it: two sites and a witness deployed by the real engine, nothing
 * changed by a second `up`, no secret in the clear, service through its name, every drill, bad input, and the servers as
 * found after `destroy`. In this checkout's own lab; one that is up already is used and left up.
 */
import { copyFile, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { progress, REPOSITORY } from '../tools/cache';
import { CommandFailedError, run } from '../tools/run';
import { configFile } from './config';
import { LAB_FOLDER } from './names';
import { status } from './world';

const LAB = path.join(REPOSITORY, 'lab', 'lab');
const FAILOVER = path.join(REPOSITORY, 'scripts', 'failover');
const CONTEXT = path.join(LAB_FOLDER, 'context.json');
const STACKS = ['witness', 'uk-primary', 'eu-standby'] as const;
const SERVERS = ['witness-1', 'uk-1', 'eu-1'] as const;
const UP = ['up', '--yes', '--skip-preview', '--non-interactive', '--color', 'never'];

const lab = (...words: string[]): Promise<string> =>
  run(LAB, words, { env: { ...process.env, FAILOVER_CONTEXT: CONTEXT } });
const failover = (...words: string[]): Promise<string> =>
  lab('exec', '--in', 'client', '--', FAILOVER, ...words);

async function refused(words: readonly string[]): Promise<string> {
  try {
    await lab(...words);
  } catch (error) {
    if (error instanceof CommandFailedError) return error.output;
    throw error;
  }
  throw new Error(`lab ${words.join(' ')} succeeded, and was expected to fail`);
}

async function untilSteady(): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const said = await failover('status').then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (said === null) return;
    if (Date.now() > deadline) throw new Error(`not steady after 120 s: ${said}`);
    await delay(500);
  }
}

/** Files, packages, users, units and rules of a server: what "as found" means. Logs, caches and apt's lists move by themselves. */
const LISTING = `
find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \
  -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/systemd -o -path /opt/lab -o -path /srv/models -o -path /root/.ssh \
  -o -path '/var/lib/dpkg/*-old' -o -path /var/lib/dpkg/lock -o -path /var/lib/dpkg/lock-frontend \\) -prune -o -printf '%y %m %u %p\\n' | sort
dpkg-query -W -f '\${Package} \${Status}\\n' | sort
cut -d: -f1 /etc/passwd | sort
systemctl list-unit-files --no-legend --no-pager | sort
ss -Hltnu | awk '{print $1, $5}' | sort`;

const listing = async (server: string): Promise<string[]> =>
  (await lab('ssh', server, '--', LISTING)).split('\n').filter((line) => line !== '');

let wasUp = false;
const before = new Map<string, string[]>();

beforeAll(async () => {
  wasUp = (await status()).up;
  await lab('up');
  if (!wasUp) for (const server of SERVERS) before.set(server, await listing(server));
  await lab('config', '--timings', 'compressed');
  await lab('deploy');
  await lab('exec', '--', 'true');
  await run(FAILOVER, [
    ...['context', 'save', '--pulumi', `${LAB} pulumi`, '--context', CONTEXT],
    ...['--ca-certificate', path.join(LAB_FOLDER, 'pki', 'ca.pem')],
  ]);
}, 1_800_000);

afterAll(async () => {
  if (!wasUp) await lab('down');
}, 120_000);

describe('the deployment', () => {
  it('comes to a steady state: one site active, the other promotable', async () => {
    await untilSteady();
  });

  it.each(STACKS)('changes nothing on a second up of %s', async (stack) => {
    await lab('pulumi', ...UP, '--stack', stack, '--expect-no-changes');
  });

  it('changes just what a setting is about', async () => {
    const file = await tweaked('uk-primary', (config) => (config['failover:edgeMaxConnections'] = 5000));
    const plan = JSON.parse(
      await lab('pulumi', 'preview', '--stack', 'uk-primary', '--json', '--config-file', file),
    ) as {
      steps: { op: string; urn: string }[];
    };
    const changed = plan.steps
      .filter((step) => step.op !== 'same' && step.op !== 'read')
      .map((step) => step.urn.split('::').at(-1));
    // The edge itself, and the agent because it carries the hash of everything that must be equal on both sites.
    expect(changed.sort()).toEqual(['agent-uk-1', 'edge-uk-1']);
  });

  it('reloads the edge with a changed setting, and back, without restarting it', async () => {
    const edge = async (): Promise<string> =>
      lab(
        'ssh',
        'uk-1',
        '--',
        'systemctl show -p MainPID failover-edge; grep maxconn /etc/failover/edge/haproxy.cfg',
      );
    const was = await edge();
    const file = await tweaked('uk-primary', (config) => (config['failover:edgeMaxConnections'] = 5000));
    await lab('pulumi', ...UP, '--stack', 'uk-primary', '--config-file', file);
    expect(await edge()).toBe(was.replace(/maxconn \d+/, 'maxconn 5000'));
    expect(await run(path.join(REPOSITORY, 'lab', 'curl-check'), [])).toContain('200 from uk-primary');
    await lab('pulumi', ...UP, '--stack', 'uk-primary');
    expect(await edge()).toBe(was);
  }, 180_000);

  it('trap 34 and 36: leaves no secret in state, journals, process lists or readable files', async () => {
    const said = await run(
      'npx',
      ['ts-node', '--transpile-only', path.join(REPOSITORY, 'lab', 'secrets-check.ts')],
      { cwd: REPOSITORY },
    );
    expect(said).toContain('no secret in the clear');
  });

  it('answers curl through the service name over TLS', async () => {
    const said = await run(path.join(REPOSITORY, 'lab', 'curl-check'), []);
    expect(said.match(/200 from uk-primary/g)).toHaveLength(2);
    expect(said).toContain('"city":"London"');
  });
});

describe('drills', () => {
  it.each(['planned-switch', 'hung-engine', 'region-loss'])(
    'holds every objective in %s, and fails back',
    async (scenario) => {
      await untilSteady();
      const folder = path.join(LAB_FOLDER, 'drills');
      await failover('drill', scenario, '--fault-command', `${LAB} fault`, '--output', folder);
      const name =
        (await readdir(folder))
          .filter((file) => file.endsWith(`${scenario}.json`))
          .sort()
          .at(-1) ?? '';
      const { measures } = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as {
        measures: { rto: { allSeconds: number } };
      };
      progress(`${scenario}: every client well after ${measures.rto.allSeconds.toFixed(1)} s`);
      expect(measures.rto.allSeconds).toBeLessThan(60);
    },
    900_000,
  );

  it('answers curl again after the failovers', async () => {
    expect(await run(path.join(REPOSITORY, 'lab', 'curl-check'), [])).toContain('200 from uk-primary');
  });
});

/** A copy of a stack's file with something changed. */
async function tweaked(stack: string, change: (config: Record<string, unknown>) => void): Promise<string> {
  const file = path.join(LAB_FOLDER, 'config', `tweaked.${stack}.yaml`);
  await copyFile(configFile(stack), file);
  const document = parse(await readFile(file, 'utf8')) as { config: Record<string, unknown> };
  change(document.config);
  await writeFile(file, stringify(document));
  return file;
}

describe('bad input, on real servers', () => {
  const cases: [string, (config: Record<string, unknown>) => void, RegExp][] = [
    [
      'an unknown key',
      (config) => (config['failover:leaseTtlSecond'] = 6),
      /leaseTtlSecond.*leaseTtlSeconds/s,
    ],
    ['a wrong type', (config) => (config['failover:leaseTtlSeconds'] = 'six'), /leaseTtlSeconds/],
    ['timings over the budget', (config) => (config['failover:dnsTtlSeconds'] = 900), /rtoSeconds|RTO|300/],
    [
      'a missing key file',
      (config) => (config['failover:tlsPrivateKeyFile'] = '/nowhere/uk.key'),
      /\/nowhere\/uk\.key/,
    ],
    [
      'the same site twice',
      (config) => {
        const sites = config['failover:sites'] as { site: string }[];
        config['failover:sites'] = [sites[0], { ...sites[1], site: sites[0]?.site }];
      },
      /uk-primary/,
    ],
  ];

  it.each(cases)('refuses %s at preview', async (_what, change, expected) => {
    const file = await tweaked('uk-primary', change);
    expect(
      await refused([
        'pulumi',
        'preview',
        '--stack',
        'uk-primary',
        '--non-interactive',
        '--config-file',
        file,
      ]),
    ).toMatch(expected);
  });

  it('refuses a server with another host key, and the next up completes the work', async () => {
    const other = (await lab('ssh', 'eu-1', '--', 'cat', '/etc/ssh/ssh_host_ed25519_key.pub'))
      .split(' ')
      .slice(0, 2)
      .join(' ');
    const file = await tweaked('uk-primary', (config) => {
      const [server] = config['failover:servers'] as { hostKey: string }[];
      config['failover:servers'] = [{ ...server, hostKey: other }];
      config['failover:sshDialErrorLimit'] = 1;
    });
    expect(await refused(['pulumi', ...UP, '--stack', 'uk-primary', '--config-file', file])).toMatch(
      /host key mismatch/,
    );
    await lab('pulumi', ...UP, '--stack', 'uk-primary');
    await lab('pulumi', ...UP, '--stack', 'uk-primary', '--expect-no-changes');
  });

  it('names a server that is unreachable, and the next up completes the work', async () => {
    await lab('fault', 'isolate', 'eu');
    try {
      const file = await tweaked('eu-standby', (config) => {
        config['failover:edgeMaxConnections'] = 4000;
        config['failover:sshDialErrorLimit'] = 1;
        config['failover:sshPerDialTimeoutSeconds'] = 3;
      });
      expect(await refused(['pulumi', ...UP, '--stack', 'eu-standby', '--config-file', file])).toMatch(
        /eu-1|timeout|timed out/,
      );
    } finally {
      await lab('fault', 'heal');
    }
    await lab('pulumi', ...UP, '--stack', 'eu-standby');
    await lab('pulumi', ...UP, '--stack', 'eu-standby', '--expect-no-changes');
    await untilSteady();
  }, 900_000);
});

describe('destroy', () => {
  it('leaves the servers as found', async () => {
    if (wasUp) return; // somebody's lab: it stays deployed
    await rm(path.join(LAB_FOLDER, 'context.json'), { force: true });
    await lab('destroy');
    for (const server of SERVERS) {
      const after = await listing(server);
      const found = new Set(before.get(server));
      const now = new Set(after);
      expect({
        server,
        left: after.filter((line) => !found.has(line)),
        gone: (before.get(server) ?? []).filter((line) => !now.has(line)),
      }).toEqual({ server, left: [], gone: [] });
    }
  }, 900_000);
});

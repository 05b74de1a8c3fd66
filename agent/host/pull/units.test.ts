import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { makeDocument, OPTIONS, PullWorld } from './testing/pull-world';
import { PULL_SERVICE, PULL_TIMER, pullService, pullTimer } from './units';

const { spec, credentials } = makeDocument();
const UNITS = '/etc/systemd/system';

it('is run by the current release every minute, not in the same second everywhere, and after a reboot', () => {
  expect(pullService({ ...OPTIONS, install: true })).toContain(
    'ExecStart=/usr/bin/node /opt/failover/current/failover-agent.js pull --bucket site-deploy --region eu-west-2 --server uk-1\n',
  );
  expect(pullService(OPTIONS)).toContain('After=network-online.target');
  const timer = pullTimer();
  for (const line of [
    'OnBootSec=15s',
    'OnUnitActiveSec=60s',
    'RandomizedDelaySec=10s',
    'WantedBy=timers.target',
  ])
    expect(timer).toContain(`${line}\n`);
});

const hasSystemd = spawnSync('systemd-analyze', ['--version']).error === undefined;
(hasSystemd ? it : it.skip)('is what systemd understands', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pull-units-'));
  try {
    const files = [
      [PULL_SERVICE, pullService(OPTIONS)],
      [PULL_TIMER, pullTimer()],
    ] as const;
    for (const [name, text] of files) fs.writeFileSync(path.join(folder, name), text);
    const paths = files.map(([name]) => path.join(folder, name));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
      encoding: 'utf8',
    });
    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('failover-pull'));
    expect(ours).toEqual([]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

(hasSystemd ? it : it.skip)('is sandboxed as far as a process that installs packages can be', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pull-units-'));
  try {
    fs.writeFileSync(path.join(folder, PULL_SERVICE), pullService(OPTIONS));
    const exposure = (): number => {
      const { stdout } = spawnSync(
        'systemd-analyze',
        ['security', '--offline=true', '--no-pager', `./${PULL_SERVICE}`],
        { cwd: folder, encoding: 'utf8', env: { ...process.env, SYSTEMD_COLORS: '0' } },
      );
      return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    };
    const sandboxed = exposure();
    expect(sandboxed).toBeGreaterThan(0);
    // Of 10; with the file mask alone it was 9.6.
    expect(sandboxed).toBeLessThanOrEqual(5.3);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

it('may do what apply does: write programs, unpack images, become other users', () => {
  const unit = pullService(OPTIONS);
  for (const taken of ['ProtectSystem', 'RestrictSUIDSGID', 'PrivateDevices', 'DevicePolicy', 'ProtectClock'])
    expect(unit).not.toContain(`${taken}=`);
  const needed = [
    'CHOWN',
    'FOWNER',
    'KILL',
    'MKNOD',
    'NET_ADMIN',
    'SETFCAP',
    'SETUID',
    'SYS_ADMIN',
    'SYS_PTRACE',
  ];
  const dropped = /^CapabilityBoundingSet=~(.*)$/m.exec(unit)?.[1]?.split(' ');
  for (const name of needed) expect(dropped).not.toContain(`CAP_${name}`);
});

it('is rewritten by a release that has another text, and systemd is asked to reload only then', async () => {
  const server = new PullWorld(spec, credentials, 'bundle 1');
  await server.install();
  await server.pull();
  const { host } = server.world;
  const { reloads } = host.systemd;
  host.put(`${UNITS}/${PULL_TIMER}`, 'text of an older release');
  server.deploy('bundle 2', spec);
  expect(await server.pull()).toBe(0);
  expect(host.text(`${UNITS}/${PULL_TIMER}`)).toBe(pullTimer());
  expect(host.systemd.log.filter((line) => line.endsWith(PULL_TIMER))).toHaveLength(2);
  server.deploy('bundle 3', spec);
  const after = host.systemd.reloads;
  expect(await server.pull()).toBe(0);
  expect(host.systemd.reloads).toBe(after);
  expect(after - reloads).toBeLessThanOrEqual(1);
});

it('is not installed by a pull by hand', async () => {
  const server = new PullWorld(spec, credentials, 'bundle 1');
  expect(await server.pull()).toBe(0);
  expect(server.world.host.text(`${UNITS}/${PULL_TIMER}`)).toBeNull();
});

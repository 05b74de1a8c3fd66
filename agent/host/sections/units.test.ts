import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { agentCredentials } from '../../../infra/contract/agent-credentials';
import { fullDocument, makePair } from '../testing/documents';
import { acmeUnit } from './acme';
import { AGENT_USER, agentUnit } from './agent';
import { dnsUnit } from './dns';
import { edgeUnit } from './edge';
import { engineRestartPathUnit, engineRestartUnit } from './engine-restart';
import { firewallUnit } from './firewall';
import { containerUnit, venvUnit } from './inference';
import { modelPath } from '../weights/rollout';
import { logsTimer, logsUnit } from './logs';
import { objectStoreUnit } from './object-store';
import { jobUnit, timerUnit } from './timers';
import { vectorsUnit } from './vectors';

const document = fullDocument(makePair());
const inference = document.inference!;
const PROGRAM = '/bin/true';
const IMAGE = `registry.example.com/vllm@sha256:${'a'.repeat(64)}`;
const acme = acmeUnit({
  mode: 'acme',
  directoryUrl: 'https://acme.example.com/directory',
  email: 'ops@example.com',
  names: ['api.example.com', 'uk.example.com'],
  dnsServer: '192.0.2.53',
  tsigName: 'acme',
});

const UNITS: Record<string, string> = {
  'failover-agent.service': agentUnit(agentCredentials(document.agent!), '/opt/restic/restic'),
  'failover-dns.service': dnsUnit(),
  'failover-edge.service': edgeUnit(),
  'failover-engine-restart.service': engineRestartUnit(AGENT_USER, 2),
  'failover-engine-restart.path': engineRestartPathUnit(),
  'failover-firewall.service': firewallUnit(),
  'failover-vllm.service': venvUnit(inference, PROGRAM),
  'failover-vllm-container.service': containerUnit(inference, IMAGE, 'all'),
  'failover-objectstore.service': objectStoreUnit(document.objectStore!, PROGRAM),
  'failover-qdrant.service': vectorsUnit(document.vectors!, PROGRAM),
  'failover-publish.service': jobUnit('publish'),
  'failover-publish.timer': timerUnit('publish', 10),
  'failover-logs.service': logsUnit(['store-access-key', 'store-secret-key']),
  'failover-logs.timer': logsTimer(60),
  'failover-acme.service': acme,
};
/** podman sets up namespaces, mounts and devices itself; its sandbox is around the container. */
const UNSANDBOXED = ['failover-vllm-container.service'];
const SERVICES = Object.keys(UNITS).filter((name) => name.endsWith('.service'));
const setting = (unit: string, name: string): string[] =>
  [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map((match) => match[1] ?? '');

const missing =
  spawnSync('systemd-analyze', ['--version']).error === undefined ? null : 'no systemd-analyze here';
const describeWithSystemd = missing === null ? describe : describe.skip;

describeWithSystemd(`units as systemd reads them${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'units-'));
    for (const [name, text] of Object.entries(UNITS)) fs.writeFileSync(path.join(folder, name), text);
  });
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  it.each(Object.keys(UNITS))('%s has no error', (name) => {
    const result = spawnSync('systemd-analyze', ['verify', '--man=no', `./${name}`], {
      cwd: folder,
      encoding: 'utf8',
    });
    // Programs that this machine lacks are not the unit's fault; nor are units of the machine itself.
    const complaints = result.stderr
      .split('\n')
      .filter((line) => line.includes(name) && !/is not executable: No such file/.test(line));
    expect(complaints).toEqual([]);
  });

  it.each(SERVICES.filter((name) => !UNSANDBOXED.includes(name)))(
    '%s is exposed to 3 of 10 at most',
    (name) => {
      const output = execFileSync(
        'systemd-analyze',
        ['security', '--offline=true', '--no-pager', `./${name}`],
        {
          cwd: folder,
          encoding: 'utf8',
          env: { ...process.env, SYSTEMD_COLORS: '0' },
        },
      );
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(output)?.[1]);
      expect(exposure).toBeGreaterThan(0);
      expect(exposure).toBeLessThanOrEqual(3);
    },
  );
});

describe('units', () => {
  it.each(SERVICES)('%s gets keys by credentials only', (name) => {
    const unit = UNITS[name] ?? '';
    for (const line of setting(unit, 'Environment'))
      expect(line).not.toMatch(/KEY=[^%]*[a-z0-9]{8}|SECRET|PASSWORD/);
    expect(unit).not.toContain('EnvironmentFile');
  });

  it.each(
    [...SERVICES, 'failover-publish.timer', 'failover-logs.timer', 'failover-engine-restart.path'].filter(
      (name) => !/publish\.service|logs\.service|engine-restart\.service|acme/.test(name),
    ),
  )('%s starts at boot', (name) => {
    expect(setting(UNITS[name] ?? '', 'WantedBy')[0]).toMatch(/^(multi-user|timers)\.target$/);
  });

  it('none waits for the network to be complete, which a broken one never is', () => {
    for (const unit of Object.values(UNITS)) expect(unit).not.toContain('network-online.target');
  });

  it('long-running services never give up', () => {
    for (const name of ['agent', 'dns', 'edge', 'vllm', 'vllm-container', 'objectstore', 'qdrant']) {
      const unit = UNITS[`failover-${name}.service`] ?? '';
      expect([name, setting(unit, 'Restart')]).toEqual([name, ['always']]);
      expect([name, setting(unit, 'StartLimitIntervalSec')]).toEqual([name, ['0']]);
    }
  });

  it('runs every service as a user of its own, but for the packet filter and podman', () => {
    const users = SERVICES.filter(
      (name) => !UNSANDBOXED.includes(name) && name !== 'failover-firewall.service',
    ).map((name) => setting(UNITS[name] ?? '', 'User')[0]);
    for (const user of users) expect(user).toMatch(/^failover-/);
  });
});

describe.each([
  ['venv', venvUnit(inference, PROGRAM)],
  ['container', containerUnit(inference, IMAGE, 'all')],
])('the inference unit (%s)', (kind, unit) => {
  it('trap 5: listens on loopback only', () => {
    expect(setting(unit, 'ExecStart')[0]).toContain(' --host 127.0.0.1 ');
  });

  it('trap 6: lets generations finish, and stops the unit only after that', () => {
    expect(setting(unit, 'ExecStart')[0]).toContain(` --shutdown-timeout ${inference.drainSeconds}`);
    expect(Number(setting(unit, 'TimeoutStopSec')[0])).toBeGreaterThan(inference.drainSeconds);
  });

  it('trap 7: leaves no worker behind when the server dies', () => {
    expect(setting(unit, 'KillMode')).toEqual(['mixed']);
    expect(setting(unit, 'SendSIGKILL')).toEqual(['yes']);
    if (kind === 'container') expect(setting(unit, 'ExecStart')[0]).toContain('--cgroups=split');
  });

  it('checks the model before each start', () => {
    expect(setting(unit, 'ExecStartPre').join('\n')).toContain(
      `verify-model ${modelPath(inference)} ${inference.model.sha256}`,
    );
  });

  it('passes values on literally, quotes and percent signs too', () => {
    if (kind === 'container') expect(unit).toContain('"--env=NOTE=a \\"quoted\\" 50%% $$HOME"');
    else expect(unit).toContain('Environment="NOTE=a \\"quoted\\" 50%% $HOME"');
  });
});

it('gives HAProxy its keys anew at each reload, tries them, and leaves none when it stops', () => {
  const unit = UNITS['failover-edge.service'] ?? '';
  const [folder, ...rest] = setting(unit, 'ExecReload');
  expect(folder).toBe('+/usr/bin/install -o root -g failover-edge -m 0750 -d /run/failover-edge-keys');
  expect(rest.slice(0, 3)).toEqual(
    ['edge-tls.pem', 'edge-client-keys', 'edge-upstream.map'].map(
      (name) =>
        '+/usr/bin/install -o root -g failover-edge -m 0440 ' +
        `-T /etc/failover/credentials/${name} /run/failover-edge-keys/${name}`,
    ),
  );
  expect(rest.slice(3)).toEqual([
    '/usr/sbin/haproxy -c -f /etc/failover/edge/haproxy.cfg',
    '/bin/kill -USR2 $MAINPID',
  ]);
  expect(setting(unit, 'ExecStartPre')).toEqual([folder, ...rest.slice(0, 4)]);
  expect(setting(unit, 'ExecStopPost')).toEqual(['+/bin/rm -rf /run/failover-edge-keys']);
});

it('runs the container from an image pinned by digest, without pulling another', () => {
  const start = setting(UNITS['failover-vllm-container.service'] ?? '', 'ExecStart')[0];
  expect(start).toContain(IMAGE);
  expect(start).toContain('--pull=never');
  expect(start).toContain('--device=nvidia.com/gpu=all');
});

it('fires timers from start to start and to the second', () => {
  expect(timerUnit('publish', 3600)).toContain('OnUnitActiveSec=3600s\nAccuracySec=1s');
  expect(timerUnit('apply', 10)).toContain('OnUnitActiveSec=10s\nAccuracySec=100ms');
});

describe('the unit that restarts a stuck engine', () => {
  const unit = UNITS['failover-engine-restart.service'] ?? '';
  const path = UNITS['failover-engine-restart.path'] ?? '';

  it('trap 7: kills the whole control group, without a drain that a stuck engine would not do', () => {
    expect(setting(unit, 'ExecStart')[0]).toMatch(
      /systemctl .*kill --signal=SIGKILL --kill-whom=all failover-vllm\.service$/,
    );
  });

  it('starts it again only if it ran, so that one stopped by a person stays stopped', () => {
    expect(setting(unit, 'ExecStart')[1]).toMatch(/try-restart failover-vllm\.service$/);
    expect(setting(unit, 'ExecStart')).toHaveLength(2);
  });

  it('is started by a file of the agent’s whose content nothing reads', () => {
    const [request] = setting(path, 'PathExists');
    const folder = setting(UNITS['failover-agent.service'] ?? '', 'RuntimeDirectory')[0];
    expect(request).toBe(`/run/${folder}/restart-engine`);
    expect(setting(path, 'Unit')).toEqual(['failover-engine-restart.service']);
    const mentions = unit.split('\n').filter((line) => line.includes(request ?? ''));
    expect(mentions).toEqual([`ExecStartPre=/usr/bin/rm -f ${request}`]);
    expect(unit).not.toMatch(/^(StandardInput|EnvironmentFile|LoadCredential)=|\/sh /m);
  });

  it('removes that file as the agent’s own user: root follows no path that the agent may change', () => {
    expect(setting(unit, 'User')).toEqual(['failover-agent']);
    expect(setting(unit, 'ExecStartPre')[0]).not.toMatch(/^[+!]/);
    expect(setting(unit, 'CapabilityBoundingSet')).toEqual(['']);
  });

  it('is bounded by systemd too, for an agent that has lost its count', () => {
    expect(setting(unit, 'StartLimitIntervalSec')).toEqual(['1h']);
    expect(setting(unit, 'StartLimitBurst')).toEqual(['3']);
  });
});

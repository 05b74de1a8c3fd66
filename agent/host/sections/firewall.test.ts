import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { FirewallSpec, ServerSpec } from '../../../infra/contract/site-spec';
import { World } from '../testing/world';
import { renderRules } from './firewall';

const spec = FirewallSpec.parse({
  allow: [
    { comment: 'SSH', protocol: 'tcp', port: 22, from: ['198.51.100.0/24', '2001:db8::/32'] },
    { comment: 'clients', protocol: 'tcp', port: 443, from: ['0.0.0.0/0', '10.0.0.0/8'] },
    { comment: 'DNS', protocol: 'udp', port: 53, from: ['0.0.0.0/0', '::/0'] },
  ],
});
const document = (firewall: FirewallSpec): ServerSpec =>
  ServerSpec.parse({ schemaVersion: 1, server: { site: 'uk-primary', name: 'uk-1' }, firewall });
const world = (): World => new World(() => null);

describe('the rules', () => {
  const rules = renderRules(spec);

  it('drop what is not allowed and keep established flows, loopback and neighbour discovery', () => {
    expect(rules).toContain('policy drop;');
    expect(rules).toContain('ct state established,related accept');
    expect(rules).toContain('iifname "lo" accept');
    expect(rules).toContain('nd-neighbor-solicit');
  });

  it('name each range of each rule in its own family', () => {
    expect(rules).toContain('ip saddr 198.51.100.0/24 tcp dport 22 accept comment "SSH"');
    expect(rules).toContain('ip6 saddr 2001:db8::/32 tcp dport 22 accept comment "SSH"');
    expect(rules).toContain('ip6 saddr ::/0 udp dport 53 accept comment "DNS"');
  });

  it('touch no table but ours', () => {
    expect(rules).not.toContain('flush ruleset');
    expect([...rules.matchAll(/^(?:delete )?table (\S+ \S+)/gm)].map((match) => match[1])).toEqual([
      'inet failover',
      'inet failover',
      'inet failover',
    ]);
  });

  const usable = spawnSync('nft', ['list', 'tables']).status === 0;
  (usable ? it : it.skip)('are accepted by nft (skipped without nft or root)', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'nft-'));
    try {
      fs.writeFileSync(path.join(folder, 'rules'), rules);
      const result = spawnSync('nft', ['--check', '--file', path.join(folder, 'rules')], {
        encoding: 'utf8',
      });
      expect(result.stderr).toBe('');
      expect(result.status).toBe(0);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
});

describe('a lockout', () => {
  it('is refused when no rule opens the SSH port', async () => {
    const closed = FirewallSpec.parse({ allow: spec.allow.slice(1) });
    const server = world();
    await expect(server.apply(document(closed))).rejects.toMatchObject({ code: 'firewall-lockout' });
    expect(server.host.mutations).toBe(0);
  });

  it('is refused when SSH listens on another port than the one opened', async () => {
    const server = world();
    server.host.put('/etc/ssh/sshd_config', '# Port 22\nPort 2222\n');
    await expect(server.apply(document(spec))).rejects.toThrow(/SSH on port 2222/);
    server.host.put('/etc/ssh/sshd_config.d/port.conf', 'Port 2200\n');
    await expect(server.apply(document(spec))).rejects.toThrow(/SSH on port 2200/);
  });

  it('is refused when the address that applies would be shut out', async () => {
    const server = world();
    server.host.variables.set('SSH_CONNECTION', '203.0.113.7 50000 192.0.2.10 22');
    await expect(server.apply(document(spec))).rejects.toThrow(/would shut out 203\.0\.113\.7/);
  });

  it.each(['198.51.100.9', '2001:db8::5'])(
    'is none when %s applies from an allowed range',
    async (client) => {
      const server = world();
      server.host.variables.set('SSH_CONNECTION', `${client} 50000 192.0.2.10 22`);
      await server.apply(document(spec));
      expect(server.host.text('/etc/failover/firewall/rules.nft')).toBe(renderRules(spec));
    },
  );
});

it('loads the rules again when somebody flushed the table', async () => {
  const server = world();
  await server.apply(document(spec));
  let loaded = false;
  server.host.handlers.set('nft', (args) => {
    const state = { code: loaded ? 0 : 1, stdout: '', stderr: '' };
    loaded = args[0] !== 'list' || server.host.systemd.log.length > 1;
    return args[0] === 'list' ? state : { ...state, code: 0 };
  });
  expect(await server.apply(document(spec))).toBe(1);
  expect(server.host.systemd.log).toEqual([
    'restart failover-firewall.service',
    'restart failover-firewall.service',
  ]);
});

it('keeps the rules in force when nft refuses the new ones', async () => {
  const server = world();
  await server.apply(document(spec));
  const before = server.host.text('/etc/failover/firewall/rules.nft');
  server.host.handlers.set('nft', (args) =>
    args[0] === '--check'
      ? { code: 1, stdout: '', stderr: 'syntax error' }
      : { code: 0, stdout: '', stderr: '' },
  );
  const wider = FirewallSpec.parse({
    allow: [...spec.allow, { comment: 'more', protocol: 'tcp', port: 80, from: ['0.0.0.0/0'] }],
  });
  await expect(server.apply(document(wider))).rejects.toMatchObject({ code: 'config-refused' });
  expect(server.host.text('/etc/failover/firewall/rules.nft')).toBe(before);
});

import { desiredKey, statusKey } from '../../../infra/contract/desired-state';
import { FAILED_AND_TOLD, SECRETS_EVERY_SECONDS, VERIFY_EVERY_SECONDS } from './pull';
import { OVERLAP_HOURS } from './secrets';
import { makeDocument, PullWorld, SERVER, sha256 } from './testing/pull-world';

jest.setTimeout(120_000);
const { spec, credentials } = makeDocument();
const newWorld = (bundle = 'bundle 1'): PullWorld => new PullWorld(spec, credentials, bundle);
async function pulledWorld(): Promise<PullWorld> {
  const server = newWorld();
  expect(await server.install()).toBe(0);
  expect(await server.pull()).toBe(0);
  server.world.lines.length = 0;
  server.world.host.systemd.log.length = 0;
  return server;
}
const credential = (server: PullWorld, name: string): string | null =>
  server.world.host.text(`/etc/failover/credentials/${name}`);

describe('a first pull', () => {
  it('is only installed at first boot, and then makes the whole server', async () => {
    const server = newWorld();
    expect(await server.install()).toBe(0);
    const { host } = server.world;
    expect(host.text('/opt/failover/current/failover-agent.js')).toBe('bundle 1');
    expect(host.systemd.log).toEqual(['restart failover-pull.timer']);
    expect(host.text('/etc/failover/agent.json')).toBeNull();
    expect(server.objects.objects.has(statusKey(SERVER))).toBe(false);

    expect(await server.pull()).toBe(0);
    expect(host.text('/etc/failover/agent.json')).not.toBeNull();
    expect(credential(server, 'qdrant-key')).toBe('qdrant-secret-1');
    expect(server.status()).toMatchObject({
      bundle: sha256('bundle 1'),
      spec: sha256(JSON.stringify(spec)),
      appliedAt: '2030-01-01T00:00:00.000Z',
      ok: true,
      error: null,
    });
    expect(server.errors).toEqual([]);
  });

  it('needs nobody to log in: a firewall without SSH is taken', async () => {
    expect(spec.firewall?.allow.some(({ port }) => port === 22)).toBe(false);
    const server = await pulledWorld();
    expect(server.world.host.text('/etc/failover/firewall/rules.nft')).toContain('dport 443');
  });

  it('reports version ids and never a value', async () => {
    const server = await pulledWorld();
    const text = JSON.stringify([server.status(), server.world.host.text('/var/lib/failover/pull.json')]);
    expect(server.status().secretVersions['qdrant-key']).toHaveLength(1);
    for (const value of Object.values(credentials)) {
      for (const line of value.split('\n').filter((each) => each.length > 5))
        expect(text).not.toContain(line);
    }
  });
});

describe('nothing changed', () => {
  it('does nothing and still reports', async () => {
    const server = await pulledWorld();
    const reads = server.secrets.reads;
    const { mutations } = server.world.host;
    server.later(60);
    expect(await server.pull()).toBe(0);
    expect(server.world.host.mutations).toBe(mutations);
    expect(server.secrets.reads).toBe(reads);
    expect(server.status()).toMatchObject({
      ok: true,
      appliedAt: '2030-01-01T00:00:00.000Z',
      checkedAt: '2030-01-01T00:01:00.000Z',
    });
  });

  it('looks at the secrets now and then, and restarts nothing for unchanged ones', async () => {
    const server = await pulledWorld();
    const reads = server.secrets.reads;
    server.later(SECRETS_EVERY_SECONDS);
    expect(await server.pull()).toBe(0);
    expect(server.secrets.reads).toBeGreaterThan(reads);
    expect(server.world.host.systemd.log).toEqual([]);
    expect(server.world.lines).toEqual([]);
  });

  it('verifies now and then: what was changed or stopped on the server is put right', async () => {
    const server = await pulledWorld();
    const { host } = server.world;
    await host.removeFile('/etc/failover/credentials/peer-key');
    host.systemd.stopUnit('failover-edge.service');
    server.later(VERIFY_EVERY_SECONDS - 1);
    expect(await server.pull()).toBe(0);
    expect(host.systemd.log).toEqual([]);
    server.later(1);
    expect(await server.pull()).toBe(0);
    expect(credential(server, 'peer-key')).toBe('peer-secret-1');
    expect(host.systemd.log).toEqual(['restart failover-edge.service']);
    expect(server.status().appliedAt).toBe('2030-01-01T01:00:00.000Z');
    server.later(60);
    expect(await server.pull()).toBe(0);
    expect(host.systemd.log).toHaveLength(1);
  });

  it('is wrong once verifying finds what cannot be put right', async () => {
    const server = await pulledWorld();
    const { systemd } = server.world.host;
    systemd.stopUnit('failover-qdrant.service');
    systemd.broken.add('failover-qdrant.service');
    server.later(VERIFY_EVERY_SECONDS);
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.status()).toMatchObject({ ok: false, appliedAt: '2030-01-01T00:00:00.000Z' });
  });
});

describe('a section that the spec has no more', () => {
  it('is removed, its data not, also when secrets change at the same time', async () => {
    const server = await pulledWorld();
    const { host } = server.world;
    host.put('/var/lib/failover-qdrant/storage/segment', 'points');
    const { logs: _logs, vectors: _vectors, ...rest } = spec;
    server.secrets.rotate('peer-key', 'peer-secret-2');
    server.deploy('bundle 1', rest);
    server.later(SECRETS_EVERY_SECONDS);
    expect(await server.pull()).toBe(0);
    expect(host.text('/etc/systemd/system/failover-logs.timer')).toBeNull();
    expect(host.text('/etc/systemd/system/failover-qdrant.service')).toBeNull();
    expect(host.text('/var/lib/failover-qdrant/storage/segment')).toBe('points');
    expect(host.text('/etc/systemd/system/failover-pull.timer')).not.toBeNull();
    expect(server.status()).toMatchObject({ ok: true });
    server.world.lines.length = 0;
    server.later(VERIFY_EVERY_SECONDS);
    expect(await server.pull()).toBe(0);
    expect(server.world.lines).toEqual([]);
  });
});

describe('secrets', () => {
  it('of all programs at once reach everything before anything is waited for', async () => {
    const server = await pulledWorld();
    const { host } = server.world;
    const restarts: string[] = [];
    const answer = host.httpAnswer;
    // vLLM takes minutes to load its model.
    let loadedAt = 0;
    host.httpAnswer = (url, request) =>
      url.includes(':8000') && host.nowSeconds() < loadedAt
        ? { status: 503, body: '' }
        : answer(url, request);
    host.handlers.set('systemctl', (args) => {
      const unit = args[args.length - 1] ?? '';
      if (!(args[0] ?? '').endsWith('restart')) return undefined;
      restarts.push(`${host.nowSeconds()} ${unit}`);
      if (unit === 'failover-vllm.service') loadedAt = host.nowSeconds() + 250;
      return undefined;
    });
    const givenAt: number[] = [];
    const said = host.socketAnswer;
    host.socketAnswer = (line) => {
      if (line.startsWith('commit map')) givenAt.push(host.nowSeconds());
      return said(line);
    };
    const at = host.nowSeconds();
    server.later(SECRETS_EVERY_SECONDS);
    for (const name of ['qdrant-key', 'vllm-key']) server.secrets.rotate(name, `${name}-of-tomorrow`);
    expect(await server.pull()).toBe(0);
    expect(restarts).toEqual(['agent', 'qdrant', 'vllm'].map((part) => `${at} failover-${part}.service`));
    expect(givenAt).toEqual([at]);
  });

  it('take effect when they change: only what reads them restarts, and the old key holds for a day', async () => {
    const server = await pulledWorld();
    server.later(SECRETS_EVERY_SECONDS);
    server.secrets.rotate('peer-key', 'peer-secret-2');
    expect(await server.pull()).toBe(0);
    expect(credential(server, 'peer-key')).toBe('peer-secret-2\npeer-secret-1');
    expect(server.world.host.systemd.log).toEqual(['restart failover-agent.service']);
    expect(server.status().secretVersions['peer-key']).toHaveLength(2);

    server.later(OVERLAP_HOURS * 3600);
    expect(await server.pull()).toBe(0);
    expect(credential(server, 'peer-key')).toBe('peer-secret-2');
    expect(server.status().secretVersions['peer-key']).toHaveLength(1);
  });

  it('of programs have one value: the current', async () => {
    const server = await pulledWorld();
    server.later(SECRETS_EVERY_SECONDS);
    server.secrets.rotate('qdrant-key', 'qdrant-secret-2');
    expect(await server.pull()).toBe(0);
    expect(credential(server, 'qdrant-key')).toBe('qdrant-secret-2');
  });

  it('let clients in with both keys, for a day, and end no response for it', async () => {
    const server = await pulledWorld();
    server.later(SECRETS_EVERY_SECONDS);
    server.secrets.rotate('client-key', 'client-secret-2');
    const given = (): string[] =>
      server.world.host.socketLines.flatMap((line) => /^add acl @1 \S+ (.*)/.exec(line)?.[1] ?? []);
    expect(await server.pull()).toBe(0);
    expect(credential(server, 'edge-client-keys')).toContain('Bearer client-secret-2\n');
    expect(credential(server, 'edge-client-keys')).toContain('Bearer client-secret-1\n');
    expect(server.world.host.systemd.log).toEqual([]);
    expect(given().slice(-1)).toEqual(['bearer\\ client\\-secret\\-1']);

    server.later(OVERLAP_HOURS * 3600);
    expect(await server.pull()).toBe(0);
    expect(credential(server, 'edge-client-keys')).not.toContain('client-secret-1');
    expect(given().slice(-1)).toEqual(['bearer\\ client\\-secret\\-2']);
    expect(server.world.host.systemd.log).toEqual([]);
  });

  it('that are missing leave the server as it is', async () => {
    const server = await pulledWorld();
    server.secrets.versions.clear();
    server.later(SECRETS_EVERY_SECONDS);
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.status()).toMatchObject({ ok: false });
    expect(server.status().error).toContain('has no value yet');
    expect(server.world.host.systemd.log).toEqual([]);
    expect(credential(server, 'qdrant-key')).toBe('qdrant-secret-1');
  });
});

describe('a new spec', () => {
  it('is applied', async () => {
    const server = await pulledWorld();
    server.deploy('bundle 1', { ...spec, timers: { publishIntervalSeconds: 20, applyIntervalSeconds: 20 } });
    expect(await server.pull()).toBe(0);
    expect(server.world.host.text('/etc/systemd/system/failover-publish.timer')).toContain('=20s');
    expect(server.world.host.systemd.log).toEqual([
      'restart failover-publish.timer',
      'restart failover-apply.timer',
    ]);
  });

  it('that was tampered with is refused, and the report says so', async () => {
    const server = await pulledWorld();
    const before = server.status();
    const { spec: pointed } = server.deploy('bundle 1', { ...spec, schemaVersion: 1, timers: undefined });
    server.objects.objects.set(pointed.key, JSON.stringify(spec));
    server.later(60);
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.status()).toMatchObject({
      ok: false,
      spec: before.spec,
      appliedAt: before.appliedAt,
      wanted: { bundle: sha256('bundle 1'), spec: pointed.sha256 },
    });
    expect(server.status().error).toMatch(/^desired-state: specs\/.* somebody changed it/);
    expect(server.world.lines).toEqual([]);
  });

  it('of another server is refused', async () => {
    const server = await pulledWorld();
    server.deploy('bundle 1', { ...spec, server: { ...spec.server, name: 'uk-2' } });
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.status().error).toContain('is for uk-2, and this is uk-1');
  });

  it('that does not come up is tried again, and the report quotes no key', async () => {
    const server = await pulledWorld();
    server.deploy('bundle 1', { ...spec, vectors: { ...spec.vectors!, memoryMax: '2G' } });
    const { host } = server.world;
    host.systemd.broken.add('failover-qdrant.service');
    host.handlers.set('journalctl', () => ({ code: 0, stdout: 'bad key qdrant-secret-1\n', stderr: '' }));
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.status().error).toMatch(/^not-ready: failover-qdrant.service did not start.*\[hidden\]/s);
    expect(server.errors.join()).not.toContain('qdrant-secret-1');
    host.systemd.broken.clear();
    expect(await server.pull()).toBe(0);
    expect(server.status()).toMatchObject({ ok: true, error: null });
  });
});

describe('a new bundle', () => {
  it('takes over, is the current release, and the one before stays', async () => {
    const server = await pulledWorld();
    const { host } = server.world;
    server.deploy('bundle 2', spec);
    expect(await server.pull()).toBe(0);
    server.deploy('bundle 3', spec);
    expect(await server.pull()).toBe(0);
    expect(server.handedOver).toEqual(['bundle 2', 'bundle 3']);
    expect(host.text('/opt/failover/current/failover-agent.js')).toBe('bundle 3');
    expect((await host.listDirectory('/opt/failover/releases')).sort()).toEqual(
      ['bundle 2', 'bundle 3'].map((bundle) => sha256(bundle).slice(0, 12)).sort(),
    );
    expect(host.systemd.log).toContain('restart failover-agent.service');
    expect(server.status().bundle).toBe(sha256('bundle 3'));
  });

  it('with other bytes than its hash says never runs', async () => {
    const server = await pulledWorld();
    const { bundle } = server.deploy('bundle 2', spec);
    server.objects.objects.set(bundle.key, 'evil');
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.handedOver).toEqual([]);
    expect(server.world.host.text('/opt/failover/current/failover-agent.js')).toBe('bundle 1');
    expect(server.status().error).toContain('somebody changed it');
  });

  it('that cannot even run leaves the old one in charge, which takes the next', async () => {
    const server = await pulledWorld();
    server.broken.set('bundle 2', 1);
    server.deploy('bundle 2', spec);
    expect(await server.pull()).toBe(FAILED_AND_TOLD);
    expect(server.status().error).toMatch(/^release-broken: pull of release/);
    expect(server.world.host.text('/opt/failover/current/failover-agent.js')).toBe('bundle 1');
    server.deploy('bundle 3', spec);
    expect(await server.pull()).toBe(0);
    expect(server.world.host.text('/opt/failover/current/failover-agent.js')).toBe('bundle 3');
  });
});

describe('the bucket', () => {
  it('out of reach fails with what it was about', async () => {
    const server = await pulledWorld();
    server.objects.down = true;
    expect(await server.pull()).toBe(1);
    expect(server.errors).toEqual([`no ${desiredKey(SERVER)}`, `no ${statusKey(SERVER)}`]);
  });

  it('with a pointer that is none is reported', async () => {
    const server = await pulledWorld();
    for (const [text, words] of [
      ['{', 'is no JSON'],
      ['{"schemaVersion":1}', 'has problems'],
    ] as const) {
      server.objects.objects.set(desiredKey(SERVER), text);
      expect(await server.pull()).toBe(FAILED_AND_TOLD);
      expect(server.status()).toMatchObject({ ok: false, wanted: null });
      expect(server.status().error).toContain(words);
    }
  });
});

describe('a kill', () => {
  it('at any point of a first boot and a first pull is made good by the next run', async () => {
    const reference = newWorld();
    await reference.install();
    await reference.pull();
    const picture = JSON.stringify(reference.world.host.picture());
    for (let at = 1; at <= reference.world.host.mutations; at += 1) {
      const server = newWorld();
      server.world.host.killAt = at;
      if ((await server.install()) !== 0) expect(await server.install()).toBe(0);
      if ((await server.pull()) !== 0) expect(await server.pull()).toBe(0);
      expect(JSON.stringify(server.world.host.picture())).toBe(picture);
    }
  });

  it('at any point of a change of bundle and spec is made good by the next run', async () => {
    const change = (server: PullWorld) => server.deploy('bundle 2', { ...spec, firewall: { allow: [] } });
    const reference = await pulledWorld();
    const before = reference.world.host.mutations;
    change(reference);
    await reference.pull();
    const picture = JSON.stringify(reference.world.host.picture());
    for (let at = before + 1; at <= reference.world.host.mutations; at += 1) {
      const server = await pulledWorld();
      change(server);
      server.world.host.killAt = at;
      expect(await server.pull()).not.toBe(0);
      expect(await server.pull()).toBe(0);
      expect(JSON.stringify(server.world.host.picture())).toBe(picture);
      expect(server.status()).toMatchObject({ ok: true, bundle: sha256('bundle 2') });
    }
  });
});

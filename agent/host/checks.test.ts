import { createHash } from 'node:crypto';
import { ServerSpec } from '../../infra/contract/site-spec';
import { ensureArtifact } from './artifact';
import { checkHost, checkPort } from './checks';
import { decodeAddress, unitOfCgroup } from './listeners';
import { ensurePackages, purgePackages } from './packages';
import { Converger } from './converge';
import { Journal } from './journal';
import { failed, MemoryHost, ok } from './testing/memory-host';
import { fullDocument, makePair, SHA256 } from './testing/documents';
import { World } from './testing/world';
import type { Listener } from './port';

const converger = async (host: MemoryHost): Promise<Converger> =>
  new Converger(host, await Journal.open(host), 'edge', { change: () => undefined });

describe('the server', () => {
  it('is refused when systemd does not run it', async () => {
    const host = new MemoryHost();
    host.nodes.delete('/run/systemd/system');
    await expect(checkHost(host)).rejects.toThrow(/systemd does not run this server/);
  });

  it('is refused when the disk is full, with the numbers', async () => {
    const host = new MemoryHost();
    host.free = 100 * 1024 ** 2;
    await expect(checkHost(host)).rejects.toThrow(/\/var\/lib has 100 MiB free and 512 MiB are needed/);
  });

  it('is refused when it has no apt-get', async () => {
    const host = new MemoryHost();
    host.nodes.delete('/usr/bin/apt-get');
    await expect(checkHost(host)).rejects.toMatchObject({ code: 'host-unsuitable' });
  });
});

describe('a port', () => {
  const listener = (over: Partial<Listener>): Listener => ({
    protocol: 'tcp',
    address: '0.0.0.0',
    port: 443,
    pid: 77,
    command: 'nginx',
    unit: 'nginx.service',
    ...over,
  });
  const check = (over: Partial<Listener>, address = '*'): Promise<void> => {
    const host = new MemoryHost();
    host.listening = [listener(over)];
    return checkPort(host, { protocol: 'tcp', port: 443, address, unit: 'failover-edge.service' });
  };

  it('that somebody has is refused with the name of the process', async () => {
    await expect(check({})).rejects.toThrow(/tcp port 443 and process 77 \(nginx of nginx\.service\) has it/);
  });

  it.each([
    ['our own unit', { unit: 'failover-edge.service' }],
    ['another port', { port: 444 }],
    ['the other protocol', { protocol: 'udp' as const }],
  ])('taken by %s is free', async (_what, over) => {
    await expect(check(over)).resolves.toBeUndefined();
  });

  it('on another loopback address is free', async () => {
    await expect(check({ address: '127.0.0.53' }, '127.0.0.1')).resolves.toBeUndefined();
    await expect(check({ address: '127.0.0.53' }, '*')).rejects.toMatchObject({ code: 'port-taken' });
    await expect(check({ address: '::' }, '127.0.0.1')).rejects.toMatchObject({ code: 'port-taken' });
  });

  it('is read from the kernel’s tables', () => {
    expect(decodeAddress('0100007F')).toBe('127.0.0.1');
    expect(decodeAddress('00000000000000000000000000000000')).toBe('::');
    expect(decodeAddress('00000000000000000000000001000000')).toBe('::1');
    expect(unitOfCgroup('0::/system.slice/failover-edge.service\n')).toBe('failover-edge.service');
    expect(unitOfCgroup('3:cpu:/\n1:name=systemd:/system.slice/ssh.service/sub\n')).toBe('ssh.service');
    expect(unitOfCgroup('0::/user.slice/user-0.slice\n')).toBeNull();
  });
});

describe('packages', () => {
  it('that no source has are refused with what to do, after the lists were updated', async () => {
    const host = new MemoryHost();
    host.apt.available.delete('haproxy');
    await expect(ensurePackages(await converger(host), { names: ['haproxy'] })).rejects.toMatchObject({
      code: 'package-unavailable',
    });
    expect(host.commands.some(({ args }) => args.includes('update'))).toBe(true);
  });

  it('that would remove others are refused', async () => {
    const host = new MemoryHost();
    host.handlers.set('apt-get', (args) =>
      args.includes('--simulate') ? ok('Remv nginx [1.0]\nInst haproxy (1.0 Debian [amd64])\n') : undefined,
    );
    await expect(ensurePackages(await converger(host), { names: ['haproxy'] })).rejects.toThrow(
      /would remove nginx/,
    );
  });

  it('whose upgrade comes along are not remembered as ours', async () => {
    const host = new MemoryHost();
    host.handlers.set('apt-get', (args) =>
      args.includes('--simulate')
        ? ok('Inst libssl3 [3.0.1] (3.0.2 Debian [amd64])\nInst haproxy (2.6 Debian [amd64])\n')
        : undefined,
    );
    const each = await converger(host);
    await ensurePackages(each, { names: ['haproxy'] });
    expect(each.journal.entries('edge')).toContainEqual({
      kind: 'packages',
      requested: ['haproxy'],
      installed: ['haproxy'],
    });
  });

  it('wait for the apt of an apply that was killed', async () => {
    const host = new MemoryHost();
    let tries = 0;
    host.handlers.set('dpkg', (args) => {
      if (args.includes('--audit')) return ok('haproxy is half configured');
      tries += 1;
      return tries < 4 ? failed('dpkg: error: dpkg frontend lock was locked by another process') : ok();
    });
    await ensurePackages(await converger(host), { names: ['haproxy'] });
    expect(tries).toBe(4);
    expect(host.apt.installed.has('haproxy')).toBe(true);
  });

  it('that other software needs meanwhile are left, and said so', async () => {
    const host = new MemoryHost();
    const each = await converger(host);
    host.apt.installed.add('liblua5.3-0').add('haproxy');
    const result = await purgePackages(
      host,
      (command, args, options) => each.command(command, args, options),
      ['liblua5.3-0'],
      ['liblua5.3-0'],
    );
    expect(result).toEqual({ purged: [], kept: ['liblua5.3-0'] });
  });
});

describe('programs', () => {
  const vectors = (runtime: unknown): ServerSpec =>
    ServerSpec.parse({
      schemaVersion: 1,
      server: { site: 'uk-primary', name: 'uk-1' },
      credentials: { 'qdrant-key': 'qdrant-secret-1' },
      vectors: { runtime, version: '1.18.3' },
    });

  it('trap 14: of another version are refused', async () => {
    const world = new World(() => null);
    world.host.handlers.set('/opt/qdrant/qdrant', () => ok('qdrant 1.18.4\n'));
    await expect(world.apply(vectors({ kind: 'path', path: '/opt/qdrant/qdrant' }))).rejects.toThrow(
      /should be 1\.18\.3 on both sites and \/opt\/qdrant\/qdrant is 1\.18\.4/,
    );
  });

  it('with another hash are refused, wherever they come from', async () => {
    const world = new World(() => null);
    await expect(
      world.apply(vectors({ kind: 'path', path: '/opt/qdrant/qdrant', sha256: SHA256 })),
    ).rejects.toMatchObject({ code: 'artifact-mismatch' });
    await expect(
      world.apply(vectors({ kind: 'url', url: 'https://example.com/qdrant', sha256: SHA256 })),
    ).rejects.toMatchObject({ code: 'artifact-mismatch' });
    expect([...world.host.nodes.keys()].filter((file) => file.endsWith('/download'))).toEqual([]);
  });

  it('that come as .bz2 are checked, decompressed and made executable', async () => {
    const host = new MemoryHost();
    host.handlers.set('sh', ([, , , from, to]) => {
      expect(host.text(from ?? '')).toBe('downloaded');
      host.put(to ?? '', 'program', 0o755);
      return ok();
    });
    const sha256 = createHash('sha256').update('downloaded').digest('hex');
    const artifact = { kind: 'url', url: 'https://example.com/restic.bz2', sha256 } as const;
    const program = await ensureArtifact(await converger(host), artifact, 'restic');
    expect(host.text(program)).toBe('program');
    expect(host.apt.installed.has('bzip2')).toBe(true);
    expect([...host.nodes.keys()].filter((file) => /download|unpacked/.test(file))).toEqual([]);
  });

  it('trap 14: of another restic are refused', async () => {
    const world = new World(() => null);
    world.host.handlers.set('/opt/restic/restic', () => ok('restic 0.14.0 compiled with go1.19.8\n'));
    const { objectStore: _store, dns: _dns, ...document } = fullDocument(makePair());
    await expect(world.apply(document)).rejects.toThrow(/should be restic 0\.18 and says "restic 0\.14/);
  });

  it('that are absent are refused', async () => {
    await expect(
      new World(() => null).apply(vectors({ kind: 'path', path: '/nowhere/qdrant' })),
    ).rejects.toThrow(/is not on this server/);
  });
});

describe('inference', () => {
  const document = (over: object): ServerSpec =>
    ServerSpec.parse({
      schemaVersion: 1,
      server: { site: 'uk-primary', name: 'uk-1' },
      credentials: { 'vllm-key': 'vllm-secret-1' },
      inference: {
        runtime: { kind: 'venv', path: '/opt/vllm' },
        model: {
          name: 'tiny',
          folder: '/srv/models',
          sha256: SHA256,
          store: { endpoint: 'https://s3.example.com', region: 'r', bucket: 'b', credentials: 'instance' },
        },
        ...over,
      },
    });

  it.each([
    [{ extraArgs: ['--host', '0.0.0.0'] }, '--host'],
    [{ extraArgs: ['--api-key=x'] }, '--api-key=x'],
    [{ environment: { VLLM_API_KEY: 'x' } }, 'VLLM_API_KEY'],
    [{ environment: { VLLM_SERVER_DEV_MODE: '1' } }, 'VLLM_SERVER_DEV_MODE'],
    [{ environment: { HF_TOKEN: 'x' } }, 'HF_TOKEN'],
  ])('refuses %j', async (over, named) => {
    await expect(new World(() => null).apply(document(over))).rejects.toThrow(`may not set ${named}`);
  });

  it('runs a pinned container on a server with GPUs, and refuses one without the NVIDIA tools', async () => {
    const image = `registry.example.com/vllm@sha256:${SHA256}`;
    const container = document({ runtime: { kind: 'container', image } });
    const world = new World(() => null);
    await expect(world.apply(container)).rejects.toThrow(/nvidia-ctk is absent/);
    world.host.put('/usr/bin/nvidia-ctk', '');
    world.host.handlers.set('podman', (args) => (args[0] === 'image' ? failed('') : ok()));
    await world.apply(container);
    expect(world.host.commands).toContainEqual(
      expect.objectContaining({ command: 'podman', args: ['pull', '--quiet', image] }),
    );
    expect(world.host.text('/etc/systemd/system/failover-vllm.service')).toContain(image);
  });

  it('says what the engine said last when it does not come up in time', async () => {
    const world = new World(() => null);
    world.host.httpAnswer = () => ({ status: 503, body: '' });
    await expect(world.apply(document({ startTimeoutSeconds: 5 }))).rejects.toThrow(
      /failover-vllm\.service is not ready after 5 s \(\/health answers 503\)[^]*the last line/,
    );
  });

  it('hides keys that a unit’s last lines contain', async () => {
    const world = new World(() => null);
    world.host.httpAnswer = () => ({ status: 503, body: '' });
    world.host.handlers.set('journalctl', () => ok('started with vllm-secret-1\n'));
    await expect(world.apply(document({ startTimeoutSeconds: 1 }))).rejects.toThrow(
      /^(?!.*vllm-secret-1).*\[hidden\]/s,
    );
  });
});

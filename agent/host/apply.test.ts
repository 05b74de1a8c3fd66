import { SECTIONS, ServerSpec, type SectionName } from '../../infra/contract/site-spec';
import { parseServerSpec } from './apply';
import { remove } from './remove';
import { dnsOf, World } from './testing/world';
import { fullDocument, makePair, SECRETS } from './testing/documents';
import { KilledError } from './testing/memory-host';

jest.setTimeout(60_000);
const pair = makePair();
const document = fullDocument(pair);
const newWorld = (): World => new World(() => dnsOf(document, SECRETS['tsig-key']));
const removeAll = async (world: World): Promise<void> => {
  for (const section of [...SECTIONS].reverse()) {
    await remove(world.host, section, { change: (line) => world.lines.push(line) });
  }
};

describe('apply', () => {
  it('changes nothing and restarts nothing the second time', async () => {
    const world = newWorld();
    expect(await world.apply(document)).toBeGreaterThan(30);
    const picture = world.host.picture();
    const log = [...world.host.systemd.log];
    expect(await world.apply(document)).toBe(0);
    expect(world.host.systemd.log).toEqual(log);
    expect(world.host.picture()).toEqual(picture);
  });

  it('comes to the same server whether the sections travel together or one by one', async () => {
    const together = newWorld();
    await together.apply(document);
    const apart = newWorld();
    for (const section of SECTIONS) {
      await apart.apply(
        ServerSpec.parse({ schemaVersion: 1, server: document.server, [section]: document[section] }),
      );
    }
    const config = (world: World): unknown =>
      [...world.host.nodes].filter(([file]) => /^\/etc\/(failover|systemd)/.test(file)).sort();
    expect(config(apart)).toEqual(config(together));
  });

  it('never puts a secret where it could be read: not in lines, arguments, unit files or configuration', async () => {
    const world = newWorld();
    await world.apply(document);
    await removeAll(world);
    const again = newWorld();
    await again.apply(document);
    const open = JSON.stringify([
      world.lines,
      world.host.commands.map(({ command, args, options }) => [command, args, options.environment]),
      [...again.host.nodes].filter(
        ([file]) => file.startsWith('/etc') && !file.startsWith('/etc/failover/credentials/'),
      ),
    ]);
    const secrets = [
      ...Object.entries(SECRETS)
        .filter(([name]) => name !== 'store-accounts')
        .map(([, value]) => value),
      'uk-store-secret-1',
      pair.privateKey.split('\n')[1] ?? '',
    ];
    for (const secret of secrets) expect(open).not.toContain(secret);
    for (const [file, node] of again.host.nodes) {
      if (file.startsWith('/etc/failover/credentials/'))
        expect(node).toMatchObject({ mode: 0o600, uid: 0, gid: 0 });
    }
  });

  it('gives data of a disk from another server to its user, and only once', async () => {
    const world = newWorld();
    const storage = '/var/lib/failover-qdrant/storage';
    await world.host.makeDirectory(storage);
    await world.host.setAttributes(storage, 0o750, { uid: 4321, gid: 4321 });
    await world.apply(document);
    const owned = await world.host.stat(storage);
    const finds = () => world.host.commands.filter(({ command }) => command === 'find');
    expect(finds().map(({ args }) => args)).toEqual([
      [
        ...[storage, '-xdev', '-mindepth', '1', '-exec', 'chown', '--no-dereference'],
        ...[`${owned?.uid}:${owned?.gid}`, '{}', '+'],
      ],
    ]);
    expect(owned?.uid).not.toBe(4321);
    await world.apply(document);
    expect(finds()).toHaveLength(1);
  });

  it('does not start the distribution’s own services', async () => {
    const world = newWorld();
    await world.apply(document);
    expect(world.host.apt.started).toEqual([]);
  });

  it('restarts only what uses a credential that changed, and not the edge, which takes keys while it runs', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.log.length = 0;
    await world.apply(
      ServerSpec.parse({
        schemaVersion: 1,
        server: document.server,
        credentials: { ...document.credentials, 'qdrant-key': 'qdrant-secret-2' },
      }),
    );
    expect(world.host.systemd.log.sort()).toEqual([
      'restart failover-agent.service',
      'restart failover-qdrant.service',
    ]);
    expect(world.host.socketLines).toContain(
      'add map @1 /run/failover-edge-keys/edge-upstream.map qdrant qdrant\\-secret\\-2',
    );
    world.host.systemd.log.length = 0;
    expect(
      await world.apply({
        ...document,
        credentials: { ...document.credentials, 'qdrant-key': 'qdrant-secret-2' },
      }),
    ).toBe(0);
    expect(world.host.systemd.log).toEqual([]);
  });

  const rotated = { ...document, credentials: { ...document.credentials, 'client-key': 'client-secret-2' } };

  it('reloads the edge when it does not take new keys while it runs, and says why without a key', async () => {
    for (const sections of [rotated, ServerSpec.parse({ ...rotated, edge: undefined })]) {
      const world = newWorld();
      await world.apply(document);
      world.host.systemd.log.length = 0;
      world.host.socketAnswer = (line) => `what? ${line}`;
      await world.apply(sections);
      expect(world.host.systemd.log).toEqual(['reload failover-edge.service']);
      expect(world.lines[world.lines.length - 1]).toMatch(/reloaded failover-edge.*HAProxy knows no acl/);
      expect(world.lines.join('\n')).not.toContain('client-secret-2');
      world.host.socketLines.length = 0;
      expect(await world.apply(rotated)).toBe(0);
      expect(world.host.socketLines).toEqual([]);
    }
  });

  it('gives new keys to no edge that is stopped: it reads them when it starts', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.stopUnit('failover-edge.service');
    await world.apply(ServerSpec.parse({ ...rotated, edge: undefined }));
    expect(world.host.socketLines).toEqual([]);
    await world.apply(rotated);
    expect(world.host.systemd.log).toContain('restart failover-edge.service');
  });

  it('restarts what runs the bundle when it changed, and not the engines', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.log.length = 0;
    world.host.put('/opt/failover/current/failover-agent.js', 'bundle 2');
    await world.apply(
      ServerSpec.parse({ schemaVersion: 1, server: document.server, timers: document.timers }),
    );
    expect(world.host.systemd.log).toEqual(['restart failover-agent.service']);
  });

  it('only reloads the edge when its configuration changed', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.log.length = 0;
    await world.apply({ ...document, edge: { ...document.edge!, maxConnections: 99 } });
    expect(world.host.systemd.log).toEqual(['reload failover-edge.service']);
  });

  it('starts a unit again that somebody stopped', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.stopUnit('failover-qdrant.service');
    world.host.systemd.log.length = 0;
    expect(await world.apply(document)).toBe(1);
    expect(world.host.systemd.log).toEqual(['restart failover-qdrant.service']);
  });

  it('trap 8: asks systemd to reload only when a unit file changed', async () => {
    const world = newWorld();
    await world.apply(document);
    expect(world.host.systemd.reloads).toBe(0);
    await world.apply({ ...document, vectors: { ...document.vectors!, memoryMax: '2G' } });
    expect(world.host.systemd.reloads).toBe(1);
  });

  it('tries the start again when it failed, and says what the unit said', async () => {
    const world = newWorld();
    world.host.systemd.broken.add('failover-qdrant.service');
    await expect(world.apply(document)).rejects.toThrow(
      /failover-qdrant.service did not start[^]*the last line/,
    );
    world.host.systemd.broken.clear();
    await world.apply(document);
    expect(world.host.systemd.log).toContain('restart failover-qdrant.service');
  });

  it('removes a credential that the document no longer carries', async () => {
    const world = newWorld();
    await world.apply(document);
    const { 'tsig-key': _gone, ...credentials } = document.credentials!;
    await world.apply(ServerSpec.parse({ schemaVersion: 1, server: document.server, credentials }));
    expect(world.host.text('/etc/failover/credentials/tsig-key')).toBeNull();
    expect(world.host.text('/etc/failover/credentials/qdrant-key')).toBe('qdrant-secret-1');
  });
});

describe('sections that a server should have no more', () => {
  const without = (...gone: SectionName[]): [ServerSpec, SectionName[]] => {
    const kept = SECTIONS.filter((section) => !gone.includes(section) && document[section] !== undefined);
    const rest = Object.fromEntries(kept.map((section) => [section, document[section]]));
    return [ServerSpec.parse({ schemaVersion: 1, server: document.server, ...rest }), kept];
  };
  const applyWithout = (world: World, ...gone: SectionName[]): Promise<number> => {
    const [rest, sections] = without(...gone);
    return world.apply(rest, {}, { sections });
  };
  const paths = (world: World, pattern: RegExp): string[] =>
    [...world.host.nodes.keys()].filter((file) => pattern.test(file));

  it('are removed, once, and nothing else is touched', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.log.length = 0;
    expect(await applyWithout(world, 'logs')).toBeGreaterThan(3);
    expect(paths(world, /^\/etc\/.*logs/)).toEqual([]);
    expect(world.host.apt.installed.has('rclone')).toBe(false);
    expect(world.host.systemd.log).toEqual(['stop failover-logs.timer']);
    expect(await applyWithout(world, 'logs')).toBe(0);
    expect(world.host.systemd.log).toHaveLength(1);
  });

  it('leave their data, with its owner, until they are removed by name', async () => {
    const world = newWorld();
    const before = world.host.picture();
    await world.apply(document);
    const data = ['/var/lib/failover-qdrant/storage/segment', '/var/lib/failover-objectstore/data/object'];
    for (const file of data) world.host.put(file, 'data');
    const folders = paths(world, /^\/var\/lib\/failover-[^/]+/);
    const owner = await world.host.stat('/var/lib/failover-qdrant/storage');
    await applyWithout(world, 'objectStore', 'dns', 'vectors', 'inference', 'agent', 'timers', 'logs');
    expect(paths(world, /^\/var\/lib\/failover-[^/]+/)).toEqual(folders);
    expect(data.map((file) => world.host.text(file))).toEqual(['data', 'data']);
    expect(world.host.text('/etc/passwd')).toContain(`failover-qdrant:x:${owner?.uid}:`);
    expect(paths(world, /systemd\/system\/failover-/)).toEqual([
      expect.stringContaining('failover-firewall.service'),
      expect.stringContaining('failover-edge.service'),
    ]);
    await removeAll(world);
    for (const file of data) world.host.nodes.delete(file);
    expect(world.host.picture()).toEqual(before);
  });

  it('come back to their data', async () => {
    const reference = newWorld();
    await reference.apply(document);
    const world = newWorld();
    await world.apply(document);
    world.host.put('/var/lib/failover-qdrant/storage/segment', 'points');
    await applyWithout(world, 'vectors', 'logs');
    await world.apply(document);
    expect(world.host.text('/var/lib/failover-qdrant/storage/segment')).toBe('points');
    world.host.nodes.delete('/var/lib/failover-qdrant/storage/segment');
    expect(withoutJournal(world)).toEqual(withoutJournal(reference));
    expect(await world.apply(document)).toBe(0);
  });

  it('go before the keys that they read', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.systemd.log.length = 0;
    const [, sections] = without('vectors', 'agent');
    const { 'qdrant-key': _gone, ...credentials } = document.credentials!;
    const only = ServerSpec.parse({ schemaVersion: 1, server: document.server, credentials });
    await world.apply(only, {}, { sections });
    expect(world.host.systemd.log).toEqual(
      expect.arrayContaining(['stop failover-qdrant.service', 'stop failover-agent.service']),
    );
    expect(world.host.systemd.log.join()).not.toMatch(/restart failover-(qdrant|agent)/);
  });

  it('are mended by the next apply after a kill', async () => {
    const reference = newWorld();
    await reference.apply(document);
    const start = reference.host.mutations;
    await applyWithout(reference, 'vectors', 'logs');
    for (let mutation = start + 1; mutation <= reference.host.mutations; mutation += 3) {
      const world = newWorld();
      await world.apply(document);
      world.host.killAt = mutation;
      await expect(applyWithout(world, 'vectors', 'logs')).rejects.toThrow(KilledError);
      world.host.killAt = null;
      await applyWithout(world, 'vectors', 'logs');
      expect(withoutJournal(world)).toEqual(withoutJournal(reference));
      expect(await applyWithout(world, 'vectors', 'logs')).toBe(0);
    }
  });

  it('are none where a document carries one section at a time', async () => {
    const world = newWorld();
    await world.apply(document);
    const [rest] = without('logs', 'vectors');
    expect(await world.apply(rest)).toBe(0);
  });
});

describe('remove', () => {
  it('leaves the server as it was found', async () => {
    const world = newWorld();
    const before = world.host.picture();
    await world.apply(document);
    await removeAll(world);
    expect(world.host.picture()).toEqual(before);
  });

  it('puts a file back that apply replaced', async () => {
    const world = newWorld();
    world.host.put('/etc/failover/agent.json', 'somebody else’s', 0o640);
    const before = world.host.picture();
    await world.apply(document);
    expect(world.host.text('/etc/failover/agent.json')).not.toBe('somebody else’s');
    await removeAll(world);
    expect(world.host.picture()).toEqual(before);
  });

  it('does nothing when the section was never applied, or twice', async () => {
    const world = newWorld();
    expect(await remove(world.host, 'edge', { change: () => undefined })).toBe(0);
    await world.apply(document);
    await removeAll(world);
    expect(await remove(world.host, 'edge', { change: () => undefined })).toBe(0);
  });

  it('keeps what another section still needs', async () => {
    const world = newWorld();
    await world.apply(document);
    await remove(world.host, 'vectors', { change: () => undefined });
    expect(world.host.text('/etc/passwd')).toContain('failover-qdrant:');
    expect(world.host.nodes.has('/var/lib/failover-qdrant/snapshots')).toBe(true);
    expect(world.host.nodes.has('/var/lib/failover-qdrant/storage')).toBe(false);
    await remove(world.host, 'dns', { change: () => undefined });
    expect([...world.host.apt.installed]).toEqual(expect.arrayContaining(['haproxy', 'liblua5.3-0']));
    expect(world.host.apt.installed.has('pdns-server')).toBe(false);
  });

  it('leaves packages alone that were there before', async () => {
    const world = newWorld();
    world.host.apt.installed.add('haproxy').add('liblua5.3-0');
    await world.apply(document);
    await removeAll(world);
    expect([...world.host.apt.installed]).toEqual(expect.arrayContaining(['haproxy', 'liblua5.3-0']));
    expect(world.host.nodes.has('/etc/systemd/system/haproxy.service')).toBe(false);
  });

  it('takes data away only when told to remove, never on update', async () => {
    const world = newWorld();
    await world.apply(document);
    world.host.put('/var/lib/failover-qdrant/storage/segment', 'points');
    await world.apply({ ...document, vectors: { ...document.vectors!, memoryMax: '1G' } });
    expect(world.host.text('/var/lib/failover-qdrant/storage/segment')).toBe('points');
    await remove(world.host, 'vectors', { change: () => undefined });
    expect(world.host.text('/var/lib/failover-qdrant/storage/segment')).toBeNull();
  });
});

describe('a kill at any moment', () => {
  /** Every moment takes a minute (set FAILOVER_EXHAUSTIVE); every seventh one finds the same mistakes. */
  const STEP = process.env['FAILOVER_EXHAUSTIVE'] === undefined ? 7 : 1;
  const text = (value: unknown): string => JSON.stringify(value, null, 1);
  const total = async (): Promise<number> => {
    const world = newWorld();
    await world.apply(document);
    return world.host.mutations;
  };
  const killed = async (work: () => Promise<unknown>): Promise<void> => {
    await expect(work()).rejects.toThrow(KilledError);
  };

  it('is mended by the next apply', async () => {
    const reference = newWorld();
    const before = text(reference.host.picture());
    await reference.apply(document);
    const wanted = text(withoutJournal(reference));
    const mutations = await total();
    expect(mutations).toBeGreaterThan(100);
    for (let mutation = 1; mutation <= mutations; mutation += STEP) {
      const world = newWorld();
      world.host.killAt = mutation;
      await killed(() => world.apply(document));
      world.host.killAt = null;
      await world.apply(document);
      expect(text(withoutJournal(world))).toBe(wanted);
      expect(await world.apply(document)).toBe(0);
      await removeAll(world);
      expect(text(world.host.picture())).toBe(before);
    }
  });

  it('leaves nothing that remove cannot find', async () => {
    const before = text(newWorld().host.picture());
    const mutations = await total();
    for (let mutation = 1; mutation <= mutations; mutation += STEP) {
      const world = newWorld();
      world.host.killAt = mutation;
      await killed(() => world.apply(document));
      world.host.killAt = null;
      await removeAll(world);
      expect(text(world.host.picture())).toBe(before);
    }
  });

  it('of a remove is mended by the next remove', async () => {
    const before = text(newWorld().host.picture());
    const probe = newWorld();
    await probe.apply(document);
    const start = probe.host.mutations;
    await removeAll(probe);
    for (let mutation = start + 1; mutation <= probe.host.mutations; mutation += STEP) {
      const world = newWorld();
      await world.apply(document);
      world.host.killAt = mutation;
      await killed(() => removeAll(world));
      world.host.killAt = null;
      await removeAll(world);
      expect(text(world.host.picture())).toBe(before);
    }
  });
});

/** The order of journal entries may differ between ways to the same server. */
function withoutJournal(world: World): unknown {
  const { files, ...rest } = world.host.picture() as { files: [string, unknown][] };
  return { ...rest, files: files.filter(([file]) => file !== '/var/lib/failover/journal.json') };
}

describe('the document', () => {
  it('names every problem at once and quotes no value', () => {
    const text = JSON.stringify({
      ...document,
      credentials: { 'client-key': 'hush-hush', 'qdrant-kye': 'hush-hush' },
      vectors: { ...document.vectors, version: 'latest' },
      timers: { publishIntervalSeconds: -1 },
    });
    let message = '';
    try {
      parseServerSpec(text);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('credentials');
    expect(message).toContain('vectors.version');
    expect(message).toContain('timers.publishIntervalSeconds');
    expect(message).toContain('timers.applyIntervalSeconds');
    expect(message).not.toContain('hush-hush');
  });

  it('refuses what is not JSON', () => {
    expect(() => parseServerSpec('{')).toThrow(/one JSON document/);
  });

  const only = (section: SectionName, value: unknown): ServerSpec =>
    ServerSpec.parse({ schemaVersion: 1, server: document.server, [section]: value });

  it('refuses a section whose credentials are not there yet, and names the first', async () => {
    await expect(newWorld().apply(only('vectors', document.vectors))).rejects.toThrow(
      /the credential qdrant-key/,
    );
  });
});

import * as fs from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { spawnSync } from 'node:child_process';
import { LogsSpec } from '../../../infra/contract/site-spec';
import { Shipping } from '../testing/shipping';
import { logsTimer, logsUnit, rcloneConfig } from './logs';

jest.setTimeout(60_000);
const { destinations } = LogsSpec.parse({
  destinations: [
    { name: 'uk', endpoint: 'https://s3.eu-west-2.amazonaws.com', region: 'eu-west-2', bucket: 'logs-uk' },
    { name: 'eu', endpoint: 'https://store.test:7070', region: 'eu-central-1', bucket: 'logs-eu' },
  ],
  credentials: 'instance',
});
const SPEC = { destinations, spoolMaxMib: 1 };

/** As rclone move: takes the files away, unless that destination is down. */
const RCLONE = `#!/bin/bash
source=\${*: -2:1} target=\${*: -1}
[ ! -e "$TEST/down-\${target%%:*}" ] || { echo 'Put "https://store/x?X-Amz-Signature=secret": no route' >&2; exit 1; }
cd "$source" && find . -type f | while read -r file; do
  mkdir -p "$TEST/stores/\${target/://}/$(dirname "$file")"
  /bin/mv "$file" "$TEST/stores/\${target/://}/$file"
done
`;

let server: Shipping;
beforeEach(() => {
  server = new Shipping();
  server.program('rclone', RCLONE);
  server.configure(SPEC);
});
afterEach(() => server.remove());

const down = (name: string): void => fs.writeFileSync(server.at(`down-${name}`), '');
const up = (name: string): void => fs.rmSync(server.at(`down-${name}`));
const stored = (destination: string): string[] =>
  server.files('stores', destination).flatMap((file) =>
    gunzipSync(fs.readFileSync(server.at('stores', destination, file)))
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { MESSAGE: string }).MESSAGE),
  );

describe('shipping logs', () => {
  it('brings every line once to every destination, under site, server, day, time and number', async () => {
    server.log('one', 'two');
    expect(await server.run()).toEqual({ status: 0, stderr: '' });
    server.log('three');
    expect(await server.run()).toEqual({ status: 0, stderr: '' });
    expect(stored('uk')).toEqual(['one', 'two', 'three']);
    expect(stored('eu')).toEqual(['one', 'two', 'three']);
    const name = /^logs-uk\/logs\/uk-primary\/uk-1\/\d{4}-\d\d-\d\d\/\d{6}Z-00000[12]\.json\.gz$/;
    expect(server.files('stores/uk')).toEqual([expect.stringMatching(name), expect.stringMatching(name)]);
    expect(server.files('state')).toEqual(['cursor', 'lock', 'number']);
  });

  it('has nothing to do when nothing was said, and when nothing new was', async () => {
    expect(await server.run()).toEqual({ status: 0, stderr: '' });
    server.log('one');
    await server.run();
    expect(await server.run()).toEqual({ status: 0, stderr: '' });
    expect(server.files('stores/uk')).toHaveLength(1);
  });

  it('takes a backlog in several files', async () => {
    server.configure(SPEC, { linesPerFile: 10 });
    const said = Array.from({ length: 35 }, (_, index) => `line ${index}`);
    server.log(...said);
    expect(await server.run()).toEqual({ status: 0, stderr: '' });
    expect(server.files('stores/uk')).toHaveLength(4);
    expect(stored('eu')).toEqual(said);
  });

  it('keeps what a lost region has to get, without delaying the other, and shows no signature', async () => {
    down('eu');
    server.log('one');
    await server.run();
    server.log('two');
    const { status, stderr } = await server.run();
    expect([status, stderr]).toEqual([
      1,
      '<4>2 files wait for eu:logs-eu: Put "https://store/x": no route\n',
    ]);
    expect([stored('uk'), stored('eu')]).toEqual([['one', 'two'], []]);
    up('eu');
    expect((await server.run()).status).toBe(0);
    expect(stored('eu')).toEqual(['one', 'two']);
  });

  it.each(['head', 'gzip', 'mkdir', 'date', 'ln', 'find', 'sync', 'mv', 'rm'])(
    'loses nothing when it dies at %s',
    async (command) => {
      server.log('one', 'two');
      server.program(command, '#!/bin/sh\nkill -9 $PPID\n');
      await server.run();
      fs.rmSync(server.at('bin', command));
      server.log('three');
      expect(await server.run()).toEqual({ status: 0, stderr: '' });
      const all = ['one', 'three', 'two'];
      expect([...new Set(stored('uk'))].sort()).toEqual(all);
      expect([...new Set(stored('eu'))].sort()).toEqual(all);
    },
  );

  it('keeps its place when the disk is full, says so, and goes on with what it has', async () => {
    down('eu');
    server.log('one');
    await server.run();
    up('eu');
    server.log('two');
    server.program('gzip', '#!/bin/sh\n[ "$1" = -dc ] && exec /bin/gzip "$@"\ncat >/dev/full\n');
    const { status, stderr } = await server.run();
    expect([status, stderr]).toEqual([1, expect.stringContaining('<3>the journal could not be read')]);
    expect(stored('eu')).toEqual(['one']);
    fs.rmSync(server.at('bin', 'gzip'));
    expect((await server.run()).status).toBe(0);
    expect(stored('uk')).toEqual(['one', 'two']);
  });

  it('says what journalctl says when it cannot read the journal', async () => {
    server.program('journalctl', '#!/bin/sh\necho "no permission" >&2\nexit 1\n');
    const { status, stderr } = await server.run();
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^<3>.*: no permission\n$/)]);
  });

  it('starts over when its place in the journal is not readable', async () => {
    server.log('one');
    await server.run();
    fs.writeFileSync(server.at('state/cursor'), 'rubbish');
    server.log('two');
    expect((await server.run()).status).toBe(0);
    expect(stored('uk')).toEqual(['one', 'one', 'two']);
  });

  it('drops the oldest of what waits beyond the bound, and counts it', async () => {
    down('eu');
    const old = 'state/spool/eu/logs/uk-primary/uk-1/2026-01-01';
    fs.mkdirSync(server.at(old), { recursive: true });
    for (const number of [1, 2])
      fs.writeFileSync(server.at(old, `00000${number}Z-00000${number}.json.gz`), Buffer.alloc(700 * 1024));
    server.log('one');
    const { status, stderr } = await server.run();
    expect(status).toBe(1);
    expect(stderr).toMatch(/<3>dropped 1 files \(.*000001Z.* to .*000001Z.*\), 1 in all: .* lost to eu\n/);
    expect(server.files('state/spool/eu')).toEqual([
      expect.stringContaining('000002Z'),
      expect.stringMatching(/\.json\.gz$/),
    ]);
    expect(fs.readFileSync(server.at('state/dropped'), 'utf8')).toBe('1\n');
    expect(stored('uk')).toEqual(['one']);
  });

  it('forgets what waits for a destination that is none any more', async () => {
    down('eu');
    server.log('one');
    await server.run();
    server.configure({ ...SPEC, destinations: destinations.slice(0, 1) });
    const { status, stderr } = await server.run();
    expect([status, stderr]).toEqual([
      0,
      '<5>1 files are not sent to eu, which is no destination any more\n',
    ]);
    expect(server.files('state/spool')).toEqual([]);
  });
});

const hasShellcheck = spawnSync('shellcheck', ['--version']).error === undefined;
(hasShellcheck ? it : it.skip)('is a script that shellcheck has nothing to say about', () => {
  const { stdout } = spawnSync('shellcheck', [server.at('ship')], { encoding: 'utf8' });
  expect(stdout).toBe('');
});

it('keeps keys out of rclone’s configuration', () => {
  const config = rcloneConfig({ ...SPEC, credentials: 'instance', intervalSeconds: 60 });
  expect(config).toContain('[uk]\ntype = s3\nprovider = AWS\nenv_auth = true\nregion = eu-west-2\n');
  expect(config).toContain('[eu]\ntype = s3\nprovider = Other\n');
  expect(config).not.toMatch(/access_key|secret/);
});

it('runs without privileges, reads the journal, and is lent an account where it needs one', () => {
  const unit = logsUnit(['store-access-key', 'store-secret-key']);
  expect(unit).toContain('SupplementaryGroups=systemd-journal');
  expect(unit).toContain('LoadCredential=store-secret-key:/etc/failover/credentials/store-secret-key');
  expect(unit).toContain('User=failover-logs');
  expect(logsUnit([])).not.toContain('LoadCredential');
  expect(logsTimer(60)).toContain('OnUnitActiveSec=60s\nAccuracySec=1s\n');
});

it('refuses two destinations of one name, and a bucket that is none', () => {
  const [uk] = destinations;
  const parse = (list: unknown[]) => LogsSpec.safeParse({ destinations: list, credentials: 'instance' });
  expect(parse([uk, { ...uk, bucket: 'other' }]).error?.message).toContain('each name once');
  expect(parse([{ ...uk, bucket: 'x; rm' }]).error?.message).toContain('the name of a bucket');
});

import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LogsSpec } from '../../../infra/contract/site-spec';
import { logsTimer, logsUnit, rcloneConfig } from './logs';
import { shipScript } from './ship-script';

const SPEC = LogsSpec.parse({
  destinations: [
    { name: 'uk', endpoint: 'https://s3.eu-west-2.amazonaws.com', region: 'eu-west-2', bucket: 'logs-uk' },
    { name: 'eu', endpoint: 'https://store.test:7070', region: 'eu-central-1', bucket: 'logs-eu' },
  ],
  credentials: 'instance',
  spoolMaxMib: 1,
});

/** As journalctl: a line each, from after the cursor on, and the cursor of the last. */
const JOURNALCTL = `#!/bin/sh
after=0
for word in "$@"; do case "$word" in --after-cursor=*) after=\${word#*=};; esac; done
total=$(wc -l <"$TEST/journal")
[ "$total" -gt "$after" ] || exit 0
tail -n +$((after + 1)) "$TEST/journal"
echo "-- cursor: $total"
`;
/** As rclone move: takes the files away, unless that destination is down. */
const RCLONE = `#!/bin/sh
while [ "$1" != move ]; do shift; done
target="$TEST/stores/$(echo "$3" | tr ':' '/')"
[ ! -e "$TEST/down-\${3%%:*}" ] || { echo "no route" >&2; exit 1; }
mkdir -p "$target"
(cd "$2" && find . -type f) | while read -r file; do
  mkdir -p "$target/$(dirname "$file")"
  mv "$2/$file" "$target/$file"
done
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ship-'));
  for (const name of ['bin', 'state', 'stores']) mkdirSync(join(folder, name));
  for (const [name, text] of [
    ['journalctl', JOURNALCTL],
    ['rclone', RCLONE],
  ] as const)
    writeFileSync(join(folder, 'bin', name), text, { mode: 0o755 });
  writeFileSync(join(folder, 'journal'), '');
  const script = shipScript({
    spec: SPEC,
    site: 'uk-primary',
    server: 'uk-1',
    stateDirectory: join(folder, 'state'),
    rcloneConfig: '/etc/failover/logs/rclone.conf',
  });
  writeFileSync(join(folder, 'ship'), script, { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true }));

const log = (...lines: string[]): void =>
  writeFileSync(join(folder, 'journal'), lines.map((line) => `{"MESSAGE":"${line}"}\n`).join(''), {
    flag: 'a',
  });
const ship = (path = `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`): SpawnSyncReturns<string> =>
  spawnSync(join(folder, 'ship'), { encoding: 'utf8', env: { PATH: path, TEST: folder } });
const files = (where: string): string[] =>
  existsSync(where)
    ? readdirSync(where, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .sort()
    : [];
const stored = (destination: string): string[] =>
  files(join(folder, 'stores', destination)).flatMap((file) =>
    gunzipSync(readFileSync(file))
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { MESSAGE: string }).MESSAGE),
  );

describe('shipping logs', () => {
  it('brings every line to every destination, under site, server and day', () => {
    log('one', 'two');
    expect(ship().status).toBe(0);
    log('three');
    expect(ship().status).toBe(0);
    expect(stored('uk').sort()).toEqual(['one', 'three', 'two']);
    expect(stored('eu').sort()).toEqual(['one', 'three', 'two']);
    expect(files(join(folder, 'stores/uk'))[0]).toMatch(
      /logs-uk\/logs\/uk-primary\/uk-1\/\d{4}-\d\d-\d\d\/\d{6}Z-\d+\.json\.gz$/,
    );
    expect(files(join(folder, 'state/spool'))).toEqual([]);
  });

  it('has nothing to do when nothing was said', () => {
    expect(ship().status).toBe(0);
    expect(files(join(folder, 'stores'))).toEqual([]);
  });

  it('keeps what a lost region has to get, without delaying the other', () => {
    writeFileSync(join(folder, 'down-eu'), '');
    log('one');
    expect(ship().status).toBe(1);
    log('two');
    expect(ship().status).toBe(1);
    expect(stored('uk').sort()).toEqual(['one', 'two']);
    expect(stored('eu')).toEqual([]);
    rmSync(join(folder, 'down-eu'));
    expect(ship().status).toBe(0);
    expect(stored('eu').sort()).toEqual(['one', 'two']);
  });

  it.each(['gzip', 'ln', 'sync', 'mv'])('loses nothing when it dies at %s', (command) => {
    log('one', 'two');
    const dying = join(folder, 'dying');
    mkdirSync(dying);
    writeFileSync(join(dying, command), '#!/bin/sh\nkill -9 $PPID\n', { mode: 0o755 });
    const { status } = ship(`${dying}:${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`);
    expect(status).not.toBe(0);
    expect(ship().status).toBe(0);
    expect(new Set(stored('uk'))).toEqual(new Set(['one', 'two']));
    expect(new Set(stored('eu'))).toEqual(new Set(['one', 'two']));
  });

  it('drops the oldest of what waits for too long, and says so', () => {
    writeFileSync(join(folder, 'down-eu'), '');
    const old = join(folder, 'state/spool/eu/uk-primary/uk-1/2026-01-01');
    mkdirSync(old, { recursive: true });
    writeFileSync(join(old, '000000Z-1.json.gz'), Buffer.alloc(3 * 1024 * 1024));
    log('one');
    const { stderr } = ship();
    expect(stderr).toMatch(
      /<3>dropped spool\/eu\/.*2026-01-01\/000000Z-1\.json\.gz: more than 1 MiB wait for eu:logs-eu/,
    );
    rmSync(join(folder, 'down-eu'));
    expect(ship().status).toBe(0);
    expect(stored('eu')).toEqual(['one']);
  });
});

it('keeps keys out of rclone’s configuration', () => {
  const config = rcloneConfig(SPEC);
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
  expect(logsTimer(60)).toContain('OnUnitInactiveSec=60s');
});

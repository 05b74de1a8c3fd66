import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import {
  asRoot,
  gpuToolkitScript,
  installReleaseScript,
  prepareScript,
  removeSectionsScript,
  type ServerFolders,
  unprepareScript,
} from './server-scripts';

let root: string;
let folders: ServerFolders;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'failover-server-'));
  folders = {
    install: join(root, 'opt'),
    state: join(root, 'state'),
    systemdRuntime: join(root, 'systemd'),
    node: join(root, 'node'),
  };
  mkdirSync(folders.systemdRuntime);
  mkdirSync(join(root, 'bin'));
  command('id', 'case $1 in -u) echo 0;; *) echo root;; esac');
  command('uname', 'echo x86_64');
  command('df', 'echo header; echo disk 9 9 4000 9% /');
  command('chown', 'true');
  command('dpkg-query', `cat ${root}/installed`);
  command('apt-get', `echo "$@" >>${root}/apt-log`);
  writeFileSync(join(root, 'installed'), 'bash\ncoreutils\n');
});
afterEach(() => rmSync(root, { recursive: true }));

/** A stand-in for a program of the server. */
function command(name: string, body: string): void {
  executable(join(root, 'bin', name), body);
}
function executable(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}
const nodeVersion = (version: string) => executable(folders.node, `echo ${version}`);

function run(script: string, path = `${join(root, 'bin')}:/usr/bin:/bin`) {
  return spawnSync('/bin/sh', ['-euc', script], { encoding: 'utf8', env: { PATH: path } });
}
const prepare = () =>
  run(prepareScript({ user: 'root', architecture: 'x86_64', minimumFreeMegabytes: 1024, folders }));

describe('preparing a server', () => {
  it('makes the folders and leaves a Node that is there alone', () => {
    nodeVersion('18.19.0');
    expect(prepare()).toMatchObject({ status: 0, stdout: 'prepared: x86_64, node 18.19.0\n' });
    expect(readdirSync(folders.install).sort()).toEqual(['incoming', 'releases']);
    expect(existsSync(join(root, 'apt-log'))).toBe(false);
  });

  it('can be run again', () => {
    nodeVersion('18.19.0');
    prepare();
    expect(prepare().status).toBe(0);
  });

  it('installs Node when there is none, and takes away exactly what came with it', () => {
    const install = `case "$*" in *install*) printf '%s\\n' libnode nodejs >>${root}/installed; cp ${root}/node-to-be ${folders.node};; esac`;
    executable(join(root, 'node-to-be'), 'echo 18.19.0');
    command('apt-get', `echo "$@" >>${root}/apt-log; ${install}`);
    expect(prepare().status).toBe(0);
    writeFileSync(join(root, 'apt-log'), '');
    expect(run(unprepareScript(folders)).status).toBe(0);
    expect(readFileSync(join(root, 'apt-log'), 'utf8')).toMatch(/ purge libnode nodejs\n$/);
    expect(existsSync(folders.install)).toBe(false);
    expect(existsSync(folders.state)).toBe(false);
  });

  it('remembers what came with Node although it was cut off while installing', () => {
    const install = `case "$*" in *install*) printf '%s\\n' libnode nodejs >>${root}/installed; cp ${root}/node-to-be ${folders.node}; exit 1;; esac`;
    executable(join(root, 'node-to-be'), 'echo 18.19.0');
    command('apt-get', install);
    expect(prepare().status).toBe(1);
    expect(prepare().status).toBe(0);
    expect(readFileSync(join(folders.state, 'packages-for-node'), 'utf8')).toBe('libnode\nnodejs\n');
  });

  it('keeps what came with Node when something else has come to need it', () => {
    nodeVersion('18.19.0');
    prepare();
    writeFileSync(join(folders.state, 'packages-for-node'), 'nodejs\nlibuv1\n');
    command(
      'apt-get',
      `echo "$@" >>${root}/apt-log; echo 'Purg nodejs [18]'; echo 'Purg libuv1 [1]'; echo 'Remv bind9 [9]'`,
    );
    expect(run(unprepareScript(folders))).toMatchObject({
      status: 0,
      stdout: 'kept: nodejs and what came with it, needed by bind9\n',
    });
    expect(readFileSync(join(root, 'apt-log'), 'utf8')).toBe('-q -s purge libuv1 nodejs\n');
  });

  it('leaves Node and other state alone when removed, if they are not ours', () => {
    nodeVersion('20.1.0');
    prepare();
    writeFileSync(join(folders.state, 'journal.json'), '{}');
    expect(run(unprepareScript(folders)).status).toBe(0);
    expect(existsSync(join(root, 'apt-log'))).toBe(false);
    expect(readdirSync(folders.state)).toEqual(['journal.json']);
  });

  it('can be undone twice', () => {
    nodeVersion('18.19.0');
    prepare();
    run(unprepareScript(folders));
    expect(run(unprepareScript(folders))).toMatchObject({ status: 0, stderr: '' });
  });

  it.each<[string, () => void, RegExp]>([
    [
      'another machine type',
      () => command('uname', 'echo aarch64'),
      /this server is aarch64, and x86_64 is needed/,
    ],
    [
      'a server without systemd',
      () => rmSync(folders.systemdRuntime, { recursive: true }),
      /systemd does not run here/,
    ],
    [
      'too little space',
      () => command('df', 'echo header; echo disk 9 9 12 9% /'),
      /has 12 MB free, and 1024 MB are needed/,
    ],
    [
      'a login that is not root',
      () => command('id', 'case $1 in -u) echo 1000;; *) echo deploy;; esac'),
      /this is deploy/,
    ],
    ['a Node that is too old', () => nodeVersion('12.22.5'), /is 12\.22\.5, and 18 or newer is needed/],
    ['a failing package index', () => command('apt-get', 'exit 100'), /apt-get update did not work/],
  ])('refuses %s with a sentence', (_what, spoil, sentence) => {
    spoil();
    const { status, stderr } = prepare();
    expect(status).toBe(1);
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^refused: /m);
  });

  it('refuses a server without apt-get', () => {
    rmSync(join(root, 'bin', 'apt-get'));
    const only = join(root, 'only');
    mkdirSync(only);
    for (const name of ['id', 'uname'])
      executable(join(only, name), readFileSync(join(root, 'bin', name), 'utf8').slice(10));
    const { stderr } = run(
      prepareScript({ user: 'root', architecture: 'x86_64', minimumFreeMegabytes: 1, folders }),
      only,
    );
    expect(stderr).toMatch(/there is no apt-get; Debian 12/);
  });
});

describe('installing a release', () => {
  const TEXT = 'console.log(1);\n';
  const sha256 = createHash('sha256').update(TEXT).digest('hex');
  const isRoot = userInfo().uid === 0;
  beforeEach(() => {
    // `install -o root` works for root only; who owns the file is not what is tried here.
    if (!isRoot) command('install', 'shift 6; cp "$1" "$2"');
    mkdirSync(join(folders.install, 'incoming'), { recursive: true });
    mkdirSync(join(folders.install, 'releases'));
  });
  const incoming = (release: string, text = TEXT) =>
    writeFileSync(join(folders.install, 'incoming', `${release}.js`), text);
  const install = (release: string) => run(installReleaseScript({ release, sha256, folders }));

  it('puts the bundle in its place and points current at it', () => {
    incoming('aaa');
    expect(install('aaa').status).toBe(0);
    expect(readFileSync(join(folders.install, 'releases/aaa/failover-agent.js'), 'utf8')).toBe(TEXT);
    expect(readlinkSync(join(folders.install, 'current'))).toBe('releases/aaa');
    expect(readdirSync(join(folders.install, 'incoming'))).toEqual([]);
  });

  it('refuses a bundle whose bytes are not the ones that were built, and keeps the release in use', () => {
    incoming('aaa');
    install('aaa');
    incoming('bbb', 'tampered');
    const { status, stderr } = install('bbb');
    expect(status).toBe(1);
    expect(stderr).toMatch(/refused: the copied bundle has SHA-256 [0-9a-f]{64}, and /);
    expect(readlinkSync(join(folders.install, 'current'))).toBe('releases/aaa');
  });

  it('refuses when nothing was copied', () => {
    expect(install('aaa').stderr).toMatch(/the bundle was not copied to .*aaa\.js/);
  });

  it('needs no new copy for a release that is there', () => {
    incoming('aaa');
    install('aaa');
    expect(install('aaa').status).toBe(0);
  });

  it('keeps the release before, and no more', () => {
    ['aaa', 'bbb', 'ccc'].forEach((release, index) => {
      incoming(release);
      install(release);
      const past = Date.now() / 1000 - 100 + index;
      utimesSync(join(folders.install, 'releases', release), past, past);
    });
    expect(readdirSync(join(folders.install, 'releases')).sort()).toEqual(['bbb', 'ccc']);
  });

  it('goes back to the release before when that is deployed again', () => {
    for (const release of ['aaa', 'bbb']) {
      incoming(release);
      install(release);
    }
    expect(install('aaa').status).toBe(0);
    expect(readlinkSync(join(folders.install, 'current'))).toBe('releases/aaa');
  });
});

describe('removing the agent', () => {
  it('undoes every section first, last one first, also one whose creation failed', () => {
    const sections = 'logs timers edge agent inference vectors dns objectStore firewall credentials'.split(
      ' ',
    );
    executable(folders.node, `echo "$2 $3" >>${root}/removed`);
    mkdirSync(join(folders.install, 'current'), { recursive: true });
    writeFileSync(join(folders.install, 'current/failover-agent.js'), '');
    expect(run(removeSectionsScript(folders)).status).toBe(0);
    expect(readFileSync(join(root, 'removed'), 'utf8')).toBe(
      sections.map((name) => `remove ${name}\n`).join(''),
    );
  });

  it('has nothing to do when the agent never got there', () => {
    expect(run(removeSectionsScript(folders))).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('preparing GPUs', () => {
  it.each<[string, () => void, RegExp]>([
    ['a missing driver', () => undefined, /there is no nvidia-smi/],
    ['a driver that sees no GPU', () => command('nvidia-smi', 'echo "No devices were found"'), /sees no GPU/],
    ['a missing toolkit', () => command('nvidia-smi', 'echo "GPU 0: L40S"'), /there is no nvidia-ctk/],
  ])('refuses %s with a sentence', (_what, arrange, sentence) => {
    arrange();
    expect(run(gpuToolkitScript(folders)).stderr).toMatch(sentence);
  });
});

describe('running as root', () => {
  it('runs a script with quotes and variables as it stands', () => {
    const out = execFileSync('/bin/sh', ['-c', asRoot('root', `x="it's"; printf '%s' "$x"`)], {
      encoding: 'utf8',
    });
    expect(out).toBe("it's");
  });

  it('reads nothing from the session, so that apt-get cannot eat it', () => {
    // `read` fails at the end of its input: the script has none, while the session goes on with its own.
    const session = `${asRoot('root', 'read -r line || echo nothing')}; read -r line; echo "$line"`;
    const out = execFileSync('/bin/sh', ['-c', session], { encoding: 'utf8', input: 'of the session\n' });
    expect(out).toBe('nothing\nof the session\n');
  });

  it('refuses a user who may not use sudo, before anything runs', () => {
    command('sudo', 'exit 1');
    const { status, stderr, stdout } = run(asRoot('deploy', 'echo ran'));
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/refused: deploy may not run sudo without a password/);
  });
});

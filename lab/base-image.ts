/**
 * What a server of the lab is before anybody touches it: a stock Debian 12 with systemd and sshd, and a package repository
 * on its own disk, since the lab has no network beyond itself.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { cacheRoot, ensureArtifact } from '../tools/cache';
import { run } from '../tools/run';

export const SUITE = 'bookworm';
const STOCK = [
  ...['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'ca-certificates', 'iproute2', 'procps', 'curl'],
  ...['python3', 'less', 'libgomp1', 'libnuma1', 'netbase'],
];
/** What a deployment may ask apt for; with everything these need. */
const INSTALLABLE = [
  ...['nodejs', 'haproxy', 'nftables', 'pdns-server', 'pdns-backend-sqlite3', 'pdns-backend-lua2', 'sqlite3'],
  ...['certbot', 'python3-certbot-dns-rfc2136', 'podman'],
];
const REPOSITORY_PATH = '/opt/lab/debs';
/** Change with the recipe. */
const REVISION = 3;

export interface BaseImage {
  /** Root of the stock server, the lower layer of every server's disk. */
  readonly root: string;
  /** Folder of the packages, mounted at {@link REPOSITORY_PATH}. */
  readonly packages: string;
}

export async function ensureBaseImage(): Promise<BaseImage> {
  const folder = await ensureArtifact(
    `debian-${SUITE}-${REVISION}`,
    'making the Debian image of the lab (about 3 min)',
    build,
  );
  return { root: path.join(folder, 'root'), packages: path.join(folder, 'packages') };
}

export { REPOSITORY_PATH };

async function build(folder: string): Promise<void> {
  const root = path.join(folder, 'root');
  const packages = path.join(folder, 'packages');
  await mkdir(packages);
  const debs = path.join(cacheRoot(), 'toolchain', 'debs');
  await mkdir(debs, { recursive: true });
  await run('debootstrap', [
    '--variant=minbase',
    `--include=${STOCK.join(',')}`,
    `--cache-dir=${debs}`,
    SUITE,
    root,
    await debianMirror(),
  ]);
  await run('chroot', [root, 'apt-get', 'update', '-q']);
  await run('chroot', [
    root,
    'apt-get',
    'install',
    '-q',
    '-y',
    '--no-install-recommends',
    '--download-only',
    ...INSTALLABLE,
  ]);
  const archives = path.join(root, 'var', 'cache', 'apt', 'archives');
  for (const name of await readdir(archives))
    if (name.endsWith('.deb')) await rename(path.join(archives, name), path.join(packages, name));
  await writeFile(path.join(packages, 'Packages'), await index(packages));
  await settle(root);
}

/** Debian's mirror as this machine's own apt has it. */
export async function debianMirror(): Promise<string> {
  const targets = await run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
    `Codename: ${SUITE}`,
  ]);
  const uri = targets.split('\n').find((line) => line.trim() !== '');
  if (uri === undefined)
    throw new Error(
      `apt on this machine knows no mirror of Debian ${SUITE}: add one to /etc/apt/sources.list, run apt-get update`,
    );
  return uri.trim();
}

/** A Packages file, as dpkg-scanpackages would write it. */
async function index(folder: string): Promise<string> {
  const entries: string[] = [];
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.deb')).sort()) {
    const file = path.join(folder, name);
    const control = await run('dpkg-deb', ['--field', file]);
    const { size } = await stat(file);
    entries.push(`${control.trimEnd()}\nFilename: ./${name}\nSize: ${size}\nSHA256: ${await sha256(file)}\n`);
  }
  return entries.join('\n');
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Turns the bootstrapped folder into an image: no identity of its own, packages from its disk, quick dpkg. */
async function settle(root: string): Promise<void> {
  const write = (name: string, text: string): Promise<void> => writeFile(path.join(root, name), text);
  await write('etc/apt/sources.list', `deb [trusted=yes] file:${REPOSITORY_PATH} ./\n`);
  await rm(path.join(root, 'etc/apt/sources.list.d'), { recursive: true, force: true });
  await mkdir(path.join(root, 'etc/apt/sources.list.d'));
  for (const name of await readdir(path.join(root, 'var/lib/apt/lists')))
    await rm(path.join(root, 'var/lib/apt/lists', name), { recursive: true });
  await write('etc/dpkg/dpkg.cfg.d/lab', 'force-unsafe-io\n');
  await write('etc/machine-id', 'uninitialized\n');
  await write('etc/resolv.conf', '');
  await mkdir(path.join(root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  for (const name of await readdir(path.join(root, 'etc/ssh')))
    if (name.startsWith('ssh_host_')) await rm(path.join(root, 'etc/ssh', name));
  await mkdir(path.join(root, 'opt/lab'), { recursive: true });
  await mkdir(path.join(root, 'srv/models'), { recursive: true });
}

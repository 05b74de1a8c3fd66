/** The data volume of the first boot, on a loop device where there may be one; what would change this machine is a stand-in. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HELPERS, volumeScript } from './user-data-parts';

let root: string;
let image: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'failover-volume-'));
  image = join(root, 'image');
  writeFileSync(image, '');
  truncateSync(image, 32 * 1024 * 1024);
  mkdirSync(join(root, 'bin'));
  command('systemctl', `echo "systemctl $*" >>${root}/log`);
  command('mount', `echo "mount $*" >>${root}/log`);
  command('mountpoint', `grep -q "^mount $2$" ${root}/log`);
  command('findmnt', 'echo /dev/nvme0n1p1');
  writeFileSync(join(root, 'log'), '');
});
afterEach(() => rmSync(root, { recursive: true }));

function command(name: string, body: string): void {
  writeFileSync(join(root, 'bin', name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(root, 'bin', name), 0o755);
}
const log = (): string[] => readFileSync(join(root, 'log'), 'utf8').split('\n').slice(0, -1);

function run(device: string, what = 'volume') {
  const script = volumeScript({
    device,
    folder: `${root}/srv`,
    binds: { qdrant: `${root}/qdrant` },
    fstab: `${root}/fstab`,
  });
  return spawnSync('bash', ['-c', `set -euo pipefail\n${HELPERS}\n${script}\n${what}`], {
    encoding: 'utf8',
    env: { PATH: `${root}/bin:/usr/sbin:/usr/bin:/sbin:/bin` },
  });
}

describe('which disk', () => {
  const lsblk = (disks: string) =>
    command(
      'lsblk',
      `case "$*" in *NAME,*) printf '${disks}';; *) printf '/dev/nvme0n1p1\\n/dev/nvme0n1\\n';; esac`,
    );

  it('is the EBS disk that the system is not on', () => {
    lsblk(
      '/dev/nvme1n1 Amazon EC2 NVMe Instance Storage\\n/dev/nvme0n1 Amazon Elastic Block Store\\n/dev/nvme2n1 Amazon Elastic Block Store\\n',
    );
    expect(run('/dev/absent', 'disk').stdout).toBe('/dev/nvme2n1\n');
  });

  it('is none while there are two to choose from, or none', () => {
    const disk = (name: string): string => `/dev/${name} Amazon Elastic Block Store\\n`;
    lsblk(disk('nvme0n1') + disk('nvme1n1') + disk('nvme2n1'));
    expect(run('/dev/absent', 'disk').stdout).toBe('');
    lsblk(disk('nvme0n1'));
    const { status, stderr } = run('/dev/absent');
    expect(status).toBe(1);
    expect(stderr).toContain('failover: the data volume /dev/absent is not here (yet)\n');
  });

  it('is the one of the volume id', () => {
    lsblk('/dev/nvme1n1 vol0aa\\n/dev/nvme2n1 vol0bb\\n');
    expect(run('vol-0bb', 'disk').stdout).toBe('/dev/nvme2n1\n');
  });
});

function attachLoop(): string | undefined {
  const file = join(tmpdir(), `failover-loop-${process.pid}`);
  writeFileSync(file, '');
  truncateSync(file, 4096);
  const { status, stdout } = spawnSync('losetup', ['-f', '--show', file], { encoding: 'utf8' });
  if (status === 0) execFileSync('losetup', ['-d', stdout.trim()]);
  rmSync(file);
  return status === 0 ? 'losetup' : undefined;
}

(attachLoop() === undefined ? describe.skip : describe)('on a disk', () => {
  let device: string;
  beforeEach(() => {
    device = execFileSync('losetup', ['-f', '--show', image], { encoding: 'utf8' }).trim();
  });
  afterEach(() => {
    execFileSync('losetup', ['-d', device]);
  });
  const probe = (tag: string): string =>
    spawnSync('blkid', ['-p', '-o', 'value', '-s', tag, device], { encoding: 'utf8' }).stdout.trim();

  it('makes a filesystem on a blank one, mounts it by UUID, and does nothing the second time', () => {
    expect(run(device)).toMatchObject({ status: 0 });
    const uuid = probe('UUID');
    const table = [
      `UUID=${uuid} ${root}/srv ext4 defaults,nofail 0 0`,
      `${root}/srv/qdrant ${root}/qdrant none bind,nofail 0 0`,
    ];
    expect(readFileSync(`${root}/fstab`, 'utf8').split('\n').slice(0, -1)).toEqual(table);
    const calls = [
      'systemctl daemon-reload',
      `mount ${root}/srv`,
      'systemctl daemon-reload',
      `mount ${root}/qdrant`,
    ];
    expect(log()).toEqual(calls);
    expect(run(device)).toMatchObject({ status: 0 });
    expect(log()).toEqual(calls);
    expect(probe('UUID')).toBe(uuid);
    expect(readFileSync(`${root}/fstab`, 'utf8').split('\n').slice(0, -1)).toEqual(table);
  });

  it('takes the filesystem that is there, after the instance was replaced', () => {
    execFileSync('mkfs.ext4', ['-q', device]);
    const uuid = probe('UUID');
    expect(run(device)).toMatchObject({ status: 0 });
    expect(probe('UUID')).toBe(uuid);
    expect(readFileSync(`${root}/fstab`, 'utf8')).toContain(`UUID=${uuid} ${root}/srv ext4`);
  });

  it.each([
    ['swap', () => execFileSync('mkswap', [device]), 'holds swap, not ext4; it stays as it is'],
    [
      'a partition table',
      () => {
        // One partition of Linux from sector 2048, and the mark of an MBR.
        const sector = Buffer.alloc(512);
        sector.set([0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0], 446);
        sector.set([0x55, 0xaa], 510);
        writeFileSync(device, sector, { flag: 'r+' });
      },
      'it stays as it is',
    ],
    [
      'bytes that nobody knows',
      () => execFileSync('dd', ['of=' + device, 'bs=1', 'seek=70000', 'status=none'], { input: 'data' }),
      'is neither blank nor a filesystem; it stays as it is',
    ],
  ])('leaves one with %s alone', (_what, spoil, message) => {
    spoil();
    const before = execFileSync('sha256sum', [device], { encoding: 'utf8' });
    const { status, stderr } = run(device);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(execFileSync('sha256sum', [device], { encoding: 'utf8' })).toBe(before);
    expect(log()).toEqual([]);
  });
});

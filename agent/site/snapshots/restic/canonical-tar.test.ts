import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  writeSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { scratchFolder } from '../../testing/scratch';
import { unpack } from './archive';
import { packCanonically } from './canonical-tar';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const scratch = (): string => mkdtempSync(join(scratchFolder(), 'archive-'));
const packed = (folder: string): Promise<Buffer> => buffer(packCanonically(folder));

/** A shard as Qdrant has it: small files, and some that are nearly all hole. */
function aShard(): string {
  const folder = scratch();
  mkdirSync(join(folder, 'segments', 'one'), { recursive: true });
  mkdirSync(join(folder, 'empty'));
  writeFileSync(join(folder, 'segments', 'one', 'vectors'), 'v'.repeat(5000));
  writeFileSync(join(folder, 'shard_config.json'), '{}');
  writeFileSync(join(folder, 'nothing'), '');
  writeFileSync(join(folder, 'x'.repeat(150)), 'a long name');
  writeFileSync(join(folder, 'wal'), 'begin');
  truncateSync(join(folder, 'wal'), 32 * MIB);
  return folder;
}

/** Writes at places that are far apart. */
function scatter(file: string, offsets: readonly number[], size: number): void {
  const handle = openSync(file, 'w');
  for (const offset of offsets) writeSync(handle, Buffer.from([1]), 0, 1, offset);
  closeSync(handle);
  truncateSync(file, size);
}

describe('a canonical tar', () => {
  it('unpacks to the same files, holes as holes, and is small where a file is mostly hole', async () => {
    const shard = aShard();
    const archive = await packed(shard);
    expect(archive.length).toBeLessThan(50_000);
    const target = scratch();
    await unpack(Readable.from([archive]), target);
    execFileSync('diff', ['-r', shard, target]);
    expect(statSync(join(target, 'wal')).size).toBe(32 * MIB);
    expect(statSync(join(target, 'wal')).blocks * 512).toBeLessThan(MIB);
  });

  it('gives the same bytes whatever the times, modes and holes on disk, and others for other content', async () => {
    const first = aShard();
    const before = sha256(await packed(first));
    const second = scratch();
    execFileSync('cp', ['-a', '--sparse=never', `${first}/.`, second]);
    for (const file of ['wal', 'shard_config.json', 'segments']) utimesSync(join(second, file), 1, 1);
    execFileSync('chmod', ['-R', 'o-r', second]);
    expect(sha256(await packed(second))).toBe(before);
    writeFileSync(join(second, 'shard_config.json'), '{ ');
    expect(sha256(await packed(second))).not.toBe(before);
  });

  it('holds any number of holes, wherever they are', async () => {
    const places = fc.uniqueArray(fc.integer({ min: 0, max: 2000 }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(places, fc.integer({ min: 0, max: 9000 }), async (steps, rest) => {
        const folder = scratch();
        const offsets = steps.map((step) => step * 4096);
        scatter(join(folder, 'file'), offsets, Math.max(0, ...offsets.map((at) => at + 1)) + rest);
        const target = scratch();
        await unpack(Readable.from([await packed(folder)]), target);
        execFileSync('cmp', [join(folder, 'file'), join(target, 'file')]);
      }),
      { numRuns: 25 },
    );
  });

  it('holds files beyond 8 GiB', async () => {
    const folder = scratch();
    scatter(join(folder, 'big'), [9 * 1024 * MIB], 9 * 1024 * MIB + 10);
    const listing = execFileSync('tar', ['--list', '--verbose', '--file=-'], { input: await packed(folder) });
    expect(listing.toString()).toContain(String(9 * 1024 * MIB + 10));
  });

  it('refuses what no shard holds', async () => {
    const folder = scratch();
    symlinkSync('/etc', join(folder, 'link'));
    mkdirSync(join(folder, 'sub'));
    execFileSync('mkfifo', [join(folder, 'sub', 'pipe')]);
    await expect(packed(folder)).rejects.toMatchObject({ code: 'UNFIT_FILE' });
  });

  it('fails where there is no folder', async () => {
    await expect(packed(join(scratch(), 'nowhere'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('unpacking', () => {
  it('fails when the stream is not an archive, ends early or breaks', async () => {
    const target = scratch();
    await expect(unpack(Readable.from([Buffer.from('x'.repeat(2048))]), target)).rejects.toMatchObject({
      code: 'ARCHIVE',
    });
    const archive = await packed(aShard());
    await expect(unpack(Readable.from([archive.subarray(0, 4000)]), target)).rejects.toMatchObject({
      code: 'ARCHIVE',
    });
    const broken = new Readable({ read: () => undefined });
    broken.push(archive.subarray(0, 1000));
    setImmediate(() => broken.destroy(new Error('Qdrant went away')));
    await expect(unpack(broken, target)).rejects.toThrow('Qdrant went away');
  });

  it('gives files the modes that the umask leaves, and nobody else’s owner', async () => {
    const target = scratch();
    await unpack(Readable.from([await packed(aShard())]), target);
    expect(statSync(join(target, 'shard_config.json')).uid).toBe(process.getuid?.());
    expect(readFileSync(join(target, 'shard_config.json'), 'utf8')).toBe('{}');
  });
});

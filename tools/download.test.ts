import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  ChecksumMismatchError,
  checksumOf,
  DownloadFailedError,
  downloadVerified,
  fetchBytes,
} from './download';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'download-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

const CONTENT = Buffer.from('release');
const SUM = createHash('sha256').update(CONTENT).digest('hex');

function download(checksums: string): Promise<void> {
  return downloadVerified(
    {
      url: 'https://v/file.tar.gz',
      checksumsUrl: 'https://v/sums',
      fileName: 'file.tar.gz',
      target: path.join(folder, 'f'),
    },
    async (url) => (url.endsWith('sums') ? Buffer.from(checksums) : CONTENT),
  );
}

describe('downloadVerified', () => {
  it('keeps a file whose checksum the vendor lists', async () => {
    await download(`${'0'.repeat(64)}  other.tar.gz\n${SUM}  file.tar.gz\n`);
    expect(await readFile(path.join(folder, 'f'))).toEqual(CONTENT);
  });

  it('refuses a file with another checksum, and writes nothing', async () => {
    await expect(download(`${'0'.repeat(64)}  file.tar.gz\n`)).rejects.toThrow(ChecksumMismatchError);
    await expect(stat(path.join(folder, 'f'))).rejects.toThrow('ENOENT');
  });

  it('refuses a file that the checksums do not list', async () => {
    await expect(download(`${SUM}  file.tar.gz.sig\n`)).rejects.toThrow(DownloadFailedError);
  });
});

describe('checksumOf', () => {
  it('reads both forms of a line', () => {
    expect(checksumOf(`${SUM}  a\n`, 'a')).toBe(SUM);
    expect(checksumOf(`${SUM} *a\n`, 'a')).toBe(SUM);
    expect(checksumOf('<html>a</html>', 'a')).toBeUndefined();
  });
});

describe('fetchBytes', () => {
  it('gives up soon when somebody listens and says nothing', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address() as { port: number };
    await expect(fetchBytes(`http://127.0.0.1:${address.port}/`, 50)).rejects.toThrow(
      /no answer within 50 ms/,
    );
    server.close();
  });

  it('says why when nobody listens', async () => {
    await expect(fetchBytes('http://127.0.0.1:1/')).rejects.toThrow(DownloadFailedError);
  });
});

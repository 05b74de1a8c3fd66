/** The script with Debian's rclone, against real stores and against what S3 is strict about. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { CREDENTIALS, findVersitygw, Versitygw } from '../../lease/testing/versitygw';
import { Shipping } from '../testing/shipping';
import { StrictS3 } from '../testing/strict-s3';

jest.setTimeout(120_000);
const executable = findVersitygw();
const missing = [
  ...(spawnSync('rclone', ['version']).error === undefined ? [] : ['no rclone here']),
  ...(executable === undefined ? ['no versitygw here'] : []),
].join(', ');
const KEYS = { AWS_ACCESS_KEY_ID: CREDENTIALS.accessKey, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretKey };
const BUCKETS = { uk: 'logs-uk', eu: 'logs-eu' } as const;
type Name = keyof typeof BUCKETS;

const destination = (name: Name, endpoint: string) => ({
  name,
  endpoint,
  region: 'us-east-1',
  bucket: BUCKETS[name],
});
const linesOf = (content: Uint8Array): string[] => gunzipSync(content).toString().trimEnd().split('\n');
const messageOf = (line: string): string => (JSON.parse(line) as { MESSAGE: string }).MESSAGE;

/** What a store holds of a server, in the order of the names, as somebody reads it who has the bucket alone. */
async function stored(store: Versitygw, name: Name): Promise<string[]> {
  const { accessKey: accessKeyId, secretKey: secretAccessKey } = CREDENTIALS;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({
    endpoint: store.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
  });
  try {
    const Bucket = BUCKETS[name];
    const { Contents = [] } = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix: 'logs/uk-primary/' }),
    );
    const lines: string[] = [];
    for (const { Key } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      lines.push(...linesOf((await Body?.transformToByteArray()) ?? new Uint8Array()).map(messageOf));
    }
    return lines;
  } finally {
    client.destroy();
  }
}

/** Takes connections and never answers. */
async function blackHole(): Promise<{ endpoint: string; close: () => Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  };
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

const title = `shipping with rclone${missing === '' ? '' : ` (skipped: ${missing})`}`;
(missing === '' ? describe : describe.skip)(title, () => {
  let server: Shipping;
  let stores: Record<Name, Versitygw>;
  beforeEach(async () => {
    server = new Shipping();
    const [uk, eu] = await Promise.all([
      Versitygw.start(executable ?? ''),
      Versitygw.start(executable ?? ''),
    ]);
    stores = { uk, eu };
    for (const name of ['uk', 'eu'] as const) await stores[name].makeBucket(BUCKETS[name]);
    server.configure({ destinations: both() });
  });
  afterEach(async () => {
    await Promise.all([stores.uk.stop(), stores.eu.stop()]);
    server.remove();
  });
  const both = (eu = stores.eu.endpoint) => [destination('uk', stores.uk.endpoint), destination('eu', eu)];
  const everywhere = async (): Promise<string[][]> =>
    Promise.all((['uk', 'eu'] as const).map((name) => stored(stores[name], name)));

  it('brings every line to both regions', async () => {
    server.log('one', 'two');
    expect(await server.run(KEYS)).toEqual({ status: 0, stderr: '' });
    server.log('three');
    expect(await server.run(KEYS)).toEqual({ status: 0, stderr: '' });
    expect(await everywhere()).toEqual([
      ['one', 'two', 'three'],
      ['one', 'two', 'three'],
    ]);
    expect(server.files('state/spool')).toEqual([]);
  });

  it('takes its keys from the unit’s credentials', async () => {
    const folder = server.at('credentials');
    mkdirSync(folder);
    server.log('one');
    expect((await server.run({ CREDENTIALS_DIRECTORY: folder })).status).toBe(1);
    writeFileSync(`${folder}/store-access-key`, CREDENTIALS.accessKey);
    writeFileSync(`${folder}/store-secret-key`, CREDENTIALS.secretKey);
    expect(await server.run({ CREDENTIALS_DIRECTORY: folder })).toEqual({ status: 0, stderr: '' });
    expect(await everywhere()).toEqual([['one'], ['one']]);
  });

  it('serves one region while the other hangs, which gets everything when it is back', async () => {
    const hole = await blackHole();
    try {
      server.configure({ destinations: both(hole.endpoint) }, { patienceSeconds: 3 });
      server.log('one');
      const first = server.run(KEYS);
      // Not after the other's patience ran out, but while it is waited for.
      const end = Date.now() + 2500;
      while ((await stored(stores.uk, 'uk')).length === 0 && Date.now() < end);
      expect(await stored(stores.uk, 'uk')).toEqual(['one']);
      const { status, stderr } = await first;
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^<4>1 files wait for eu:logs-eu: .*\n$/)]);
      server.log('two');
      expect((await server.run(KEYS)).status).toBe(1);
    } finally {
      await hole.close();
    }
    server.configure({ destinations: both() });
    expect(await server.run(KEYS)).toEqual({ status: 0, stderr: '' });
    expect(await everywhere()).toEqual([
      ['one', 'two'],
      ['one', 'two'],
    ]);
  });

  it('loses nothing however often it is killed, wherever it is', async () => {
    server.configure({ destinations: both() }, { linesPerFile: 40 });
    const said: string[] = [];
    for (let round = 0; round < 25; round += 1) {
      const lines = Array.from({ length: 10 }, (_, index) => `round ${round} line ${index}`);
      said.push(...lines);
      server.log(...lines);
      const child = server.start(KEYS);
      const ended = new Promise((resolve) => child.once('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, round * 12));
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await ended;
    }
    expect((await server.run(KEYS)).status).toBe(0);
    for (const lines of await everywhere()) expect([...new Set(lines)].sort()).toEqual([...said].sort());
  });

  it('holds no more than its bound while a region is away', async () => {
    server.configure({ destinations: both('http://127.0.0.1:9'), spoolMaxMib: 1 }, { linesPerFile: 2 });
    const big = Array.from({ length: 8 }, (_, index) => `${index} ${randomBytes(150_000).toString('hex')}`);
    server.log(...big);
    const { status, stderr } = await server.run(KEYS);
    expect(status).toBe(1);
    expect(stderr).toMatch(/<4>\d files wait for eu:logs-eu: .*connect: connection refused\n/);
    expect(stderr).toMatch(/<3>dropped \d files .* lost to eu\n/);
    expect(await stored(stores.uk, 'uk')).toEqual(big);
    const kib = Number(
      spawnSync('du', ['-sk', server.at('state')], { encoding: 'utf8' }).stdout.split('\t')[0],
    );
    expect(kib).toBeLessThan(1024 + 100);
    server.configure({ destinations: both() });
    expect(await server.run(KEYS)).toEqual({ status: 0, stderr: '' });
    const late = await stored(stores.eu, 'eu');
    expect(late.length).toBeGreaterThan(0);
    expect(late).toEqual(big.slice(-late.length));
  });

  it('needs no more of S3 than to put, and nothing that S3 refuses', async () => {
    const strict = new StrictS3();
    try {
      server.configure({ destinations: [destination('uk', await strict.start())] });
      server.log('one');
      expect(await server.run(KEYS)).toEqual({ status: 0, stderr: '' });
      expect(strict.refused).toEqual([]);
      const [[key, content] = ['', Buffer.alloc(0)]] = strict.objects;
      expect(key).toMatch(/^\/logs-uk\/logs\/uk-primary\/uk-1\/.*\.json\.gz$/);
      expect(linesOf(content).map(messageOf)).toEqual(['one']);
    } finally {
      await strict.stop();
    }
  });
});

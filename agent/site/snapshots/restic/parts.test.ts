import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { buffer } from 'node:stream/consumers';
import { Versitygw, findVersitygw } from '../../../lease/testing/versitygw';
import { findRestic, testRestic, type TestRestic } from '../../testing/restic';
import { eventually } from '../../testing/two-sites';
import { scratchFolder } from '../../testing/scratch';
import { HashingTransform } from '../hashing';
import type { Manifest } from '../manifest';
import { PartCorruptError, type Digest, type PartKey, type PartSource } from '../parts';
import { packCanonically } from './canonical-tar';

jest.setTimeout(60_000);

const restic = findRestic();
const versitygw = findVersitygw();
const [suite, name] =
  restic === undefined || versitygw === undefined
    ? ([
        describe.skip,
        'restic (skipped: no executable; set RESTIC_BIN and VERSITYGW_BIN or build them)',
      ] as const)
    : ([describe, 'restic'] as const);

const KEY: PartKey = { collection: 'my docs', shardId: 0 };

suite(`parts kept by ${name}`, () => {
  let server: Versitygw;
  let bucket: string;
  let buckets = 0;
  let at: { endpoint: string; bucket: string };
  let line: Line | null = null;
  let uk: TestRestic;
  let eu: TestRestic;

  beforeAll(async () => {
    server = await Versitygw.start(versitygw ?? '');
  });
  afterAll(() => server.stop());
  afterEach(() => line?.close());
  beforeEach(async () => {
    line = null;
    bucket = `parts-${(buckets += 1)}`;
    await server.makeBucket(bucket);
    at = { endpoint: server.endpoint, bucket };
    const of = (site: string) => testRestic(site, at, { program: restic ?? '' });
    [uk, eu] = [of('uk'), of('eu')];
  });

  it('brings a publish to another site, and the next one over it', async () => {
    const shard = new Shard();
    const first = await publish('first', [shard.source()]);
    expect(await fetched(eu, first)).toBe('whole');
    shard.change();
    const second = await publish('second', [shard.source()]);
    const before = [uk.transfers.total('publish').bytes, eu.transfers.total('apply').bytes];
    expect(await fetched(eu, second)).toBe('whole');
    expect(before[0]).toBeGreaterThan(2_000_000);
    const fetchedBytes = eu.transfers.total('apply').bytes - (before[1] ?? 0);
    expect(fetchedBytes).toBeLessThan(100_000);
    expect(readFileSync(join(eu.root, 'incoming', 'my%20docs', '0', 'small'), 'utf8')).toBe('has changed');
    expect(readdirSync(join(uk.root, 'outgoing', '..'))).toEqual(expect.not.arrayContaining(['outgoing']));
  });

  it('fetches one part afresh, using and keeping nothing of what earlier fetches left', async () => {
    const [shard, other] = [new Shard(), new Shard()];
    const two = [shard.source(), { ...other.source(), collection: 'others' }];
    const manifest = await publish('first', two);
    let bytes = 0;
    await eu.parts.fetchAfresh(manifest, [KEY], async (key, body) => {
      expect(key).toEqual(KEY);
      bytes += (await buffer(body)).length;
    });
    expect(bytes).toBe(manifest.collections[0]?.shards[0]?.bytes);
    const moved = eu.transfers.total('restore-test').bytes;
    expect(moved).toBeGreaterThan(2_000_000);
    expect(moved).toBeLessThan(3_000_000);
    expect(eu.transfers.total('apply').bytes).toBe(0);
    expect(readdirSync(eu.root)).toEqual([]);
  });

  it('stores a publish without shards', async () => {
    const empty = await publish('empty', []);
    await expect(eu.parts.fetch(empty, [], () => Promise.resolve())).resolves.toBeUndefined();
  });

  it('repairs files that rotted between two fetches, though size and time say nothing', async () => {
    const shard = new Shard();
    const first = await publish('first', [shard.source()]);
    await fetched(eu, first);
    const big = join(eu.root, 'incoming', 'my%20docs', '0', 'big');
    const content = readFileSync(big);
    content[100] = (content[100] ?? 0) ^ 1;
    writeFileSync(big, content);
    utimesSync(big, shard.time, shard.time);
    expect(await fetched(eu, await publish('second', [shard.source()]))).toBe('whole');
  });

  it('sends what was sent before a kill no second time', async () => {
    const big = new Shard(60_000_000);
    const slow = testRestic('uk', at, { program: restic ?? '', maxMbitPerSecond: 80 });
    const cut = slow.parts.put('cut', [big.source()]);
    void cut.catch(() => undefined);
    const packs = () => (existsSync(server.pathOf(bucket, 'uk/restic/data')) ? stored('data').length : 0);
    // Two are sent at a time: of three one has gone through.
    await eventually('a pack is at the store', () => packs() >= 3);
    killChildren('restic');
    await expect(cut).rejects.toMatchObject({ code: 'REPOSITORY_FAILED' });
    // As the next process does, by the mark on disk.
    await slow.parts.put('whole', [big.source()]);
    expect(slow.transfers.total('publish').bytes).toBeLessThan(48_000_000);
    expect(await fetched(eu, await publish('third', [big.source()]))).toBe('whole');
  });

  it('fetches what came before a cut no second time', async () => {
    const big = new Shard(40_000_000);
    const manifest = await publish('first', [big.source()]);
    line = await Line.to(Number(new URL(server.endpoint).port));
    const over = { ...at, endpoint: line.endpoint };
    const slow = testRestic('eu', over, { program: restic ?? '', maxMbitPerSecond: 80 });
    const stop = new AbortController();
    const cut = slow.parts.fetch(manifest, [KEY], () => Promise.resolve(), stop.signal);
    void cut.catch(() => undefined);
    const incoming = join(slow.root, 'incoming', 'my%20docs', '0', 'big');
    // Room for all of it is made at once: what is there is told by what it holds.
    await eventually('half of it came', () => existsSync(incoming) && big.shareIn(incoming) > 0.5);
    stop.abort(new Error('the line was cut'));
    await expect(cut).rejects.toThrow('the line was cut');
    const cameBefore = line.bytes;
    expect(await fetched(slow, manifest)).toBe('whole');
    expect(line.bytes - cameBefore).toBeLessThan(25_000_000);
  });

  it('gives up on a part that stays wrong, with the refusal', async () => {
    const manifest = await publish('first', [new Shard().source()]);
    const refuse = () => Promise.reject(new PartCorruptError('no'));
    await expect(eu.parts.fetch(manifest, [KEY], refuse)).rejects.toMatchObject({ code: 'PART_CORRUPT' });
  });

  it('stores nothing when a source refuses what came of it', async () => {
    const source = { ...new Shard().source(), taken: () => Promise.reject(new Error('other checksum')) };
    await expect(uk.parts.put('first', [source])).rejects.toThrow('other checksum');
    await expect(snapshots(uk)).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' });
  });

  it('keeps what is named and drops the rest, its own only', async () => {
    const kept = await publish('kept', [new Shard().source()]);
    await publish('dropped', [new Shard().source()]);
    await eu.parts.put('theirs', [new Shard().source()]);
    await uk.parts.retain(['kept']);
    expect(await snapshots(uk)).toEqual([['kept']]);
    expect(await snapshots(eu)).toEqual([['theirs']]);
    expect(await fetched(eu, kept)).toBe('whole');
  });

  it('stores again what got lost in the store, once pruning has missed it', async () => {
    const shard = new Shard();
    await publish('first', [shard.source()]);
    await publish('second', [shard.source()]);
    for (const pack of stored('data')) rmSync(pack);
    await expect(uk.parts.retain(['second'])).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
    expect(await fetched(eu, await publish('third', [shard.source()]))).toBe('whole');
  });

  it('publishes although an index was cut short in the store', async () => {
    const shard = new Shard();
    await publish('first', [shard.source()]);
    for (const index of stored('index')) truncateSync(index);
    // A site that has no copy of the index in its cache.
    uk = testRestic('uk', at, { program: restic ?? '' });
    expect(await fetched(eu, await publish('second', [shard.source()]))).toBe('whole');
  });

  it('tells damage in the store from a store that is away', async () => {
    const manifest = await publish('first', [new Shard().source()]);
    for (const pack of stored('data')) truncateSync(pack, 100);
    await expect(fetched(eu, manifest)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' });
  });

  it('says that a key is wrong rather than making another repository', async () => {
    await publish('first', [new Shard().source()]);
    const stranger = testRestic('uk', at, { program: restic ?? '', key: 'other' });
    await expect(stranger.parts.put('second', [])).rejects.toMatchObject({ code: 'REPOSITORY_KEY' });
  });

  it('ends at once when it is told to', async () => {
    const manifest = await publish('first', [new Shard().source()]);
    const stop = new AbortController();
    stop.abort(new Error('promoted'));
    await expect(eu.parts.fetch(manifest, [KEY], () => Promise.resolve(), stop.signal)).rejects.toThrow(
      'promoted',
    );
  });

  async function publish(id: string, sources: readonly PartSource[]): Promise<Manifest> {
    const { snapshot, parts } = await uk.parts.put(id, sources);
    const shards = parts.map((part, shardId) => ({ shardId, key: null, ...part }));
    return { site: 'uk', snapshot, collections: [{ name: 'my docs', shards }] } as unknown as Manifest;
  }

  /** Fetches as the staging folder does: a part that is not what the manifest says is refused. */
  async function fetched(at: TestRestic, manifest: Manifest): Promise<string> {
    const wanted: Digest | undefined = manifest.collections[0]?.shards[0];
    let came = 'nothing';
    await at.parts.fetch(manifest, [KEY], async (_key, body) => {
      const hashing = new HashingTransform();
      await buffer(body.pipe(hashing));
      if (hashing.digest() !== wanted?.sha256) throw new PartCorruptError('not what was published');
      came = hashing.bytes === wanted.bytes ? 'whole' : 'of another size';
    });
    return came;
  }

  /** Files of uk's repository on the store's disk. */
  function stored(kind: 'data' | 'index'): string[] {
    const folder = server.pathOf(bucket, `uk/restic/${kind}`);
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  }

  async function snapshots(at: TestRestic): Promise<unknown> {
    const list = await at.restic.run(at === uk ? 'uk' : 'eu', ['snapshots', '--no-lock']);
    return list.map((snapshot) => snapshot['tags']);
  }
});

/** Between a site and the store, counting what comes. */
class Line {
  bytes = 0;
  private readonly server = createServer((near) => {
    const far = connect(this.port, '127.0.0.1');
    far.on('data', (chunk) => (this.bytes += chunk.length));
    for (const end of [near, far]) end.on('error', () => (near.destroy(), far.destroy()));
    near.pipe(far).pipe(near);
  });

  private constructor(private readonly port: number) {}

  static async to(port: number): Promise<Line> {
    const line = new Line(port);
    await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get endpoint(): string {
    const address = this.server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** SIGKILL to what this process has started by that name. */
function killChildren(name: string): void {
  execFileSync('pkill', ['-KILL', '--parent', String(process.pid), '--exact', name]);
}

/** A shard's files, which it packs as Qdrant would. */
class Shard {
  readonly folder = mkdtempSync(join(scratchFolder(), 'shard-'));
  readonly time = new Date('2026-01-02T03:04:05Z');

  constructor(bytes = 2_000_000) {
    mkdirSync(join(this.folder, 'segments'));
    this.write('segments/one', randomBytes(300_000));
    this.write('big', randomBytes(bytes));
    this.write('small', 'content');
  }

  /** How much of the large file another one has, in its place. */
  shareIn(path: string): number {
    const [own, other] = [readFileSync(join(this.folder, 'big')), readFileSync(path)];
    let same = 0;
    for (let at = 0; at < own.length; at += 4096)
      if (own.subarray(at, at + 4096).equals(other.subarray(at, at + 4096))) same += 1;
    return (same * 4096) / own.length;
  }

  change(): void {
    this.write('small', 'has changed');
  }

  source(): PartSource {
    return {
      ...KEY,
      bytes: 3_000_000,
      open: () => Promise.resolve(packCanonically(this.folder)),
      taken: () => Promise.resolve(),
    };
  }

  private write(name: string, content: string | Buffer): void {
    writeFileSync(join(this.folder, name), content);
    utimesSync(join(this.folder, name), this.time, this.time);
  }
}

/**
 * Digests against a real Qdrant's own answers (QDRANT_BIN or the toolchain's): every kind of vector, ids of 64 bits, and
 * writes that are acknowledged before they are applied. Two servers hold the same data by different ways.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RealQdrant, findQdrant } from '../testing/real-qdrant';
import { scratchFolder } from '../testing/scratch';
import { siteClock } from '../state/clock';
import { BucketSums } from './bucket-sums';
import { Digester } from './digester';
import { DirtyTracker } from './dirty';
import { compareDigests } from './compare';
import { touchedBy } from './write-scan';

jest.setTimeout(120_000);

const executable = findQdrant();
const suite = executable === undefined ? describe.skip : describe;
const KEY = 'key';

const SHAPE = {
  vectors: {
    text: { size: 4, distance: 'Cosine' },
    rows: { size: 3, distance: 'Dot', multivector_config: { comparator: 'max_sim' } },
  },
  sparse_vectors: { words: {} },
  shard_number: 2,
};

suite('digests of a real Qdrant', () => {
  let here: RealQdrant;
  let there: RealQdrant;
  let folder: string;
  let tracker: DirtyTracker;
  let digester: Digester;

  beforeEach(async () => {
    folder = mkdtempSync(join(scratchFolder(), 'digests-'));
    [here, there] = await Promise.all([
      RealQdrant.start(executable ?? '', KEY),
      RealQdrant.start(executable ?? '', KEY),
    ]);
    tracker = new DirtyTracker();
    digester = new Digester({ qdrant: here.client, tracker, clock: siteClock(), folder });
    for (const server of [here, there]) await server.client.createCollection('docs', SHAPE);
  });
  afterEach(async () => {
    await Promise.all([here.dispose(), there.dispose()]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function write(server: RealQdrant, method: string, path: string, body: string): Promise<void> {
    const url = `/collections/docs/points${path}`;
    const response = await fetch(`http://127.0.0.1:${server.port}${url}`, {
      method,
      headers: { 'api-key': KEY, 'content-type': 'application/json' },
      body,
    });
    expect(`${response.status} ${response.ok ? '' : await response.text()}`).toBe('200 ');
    if (server === here)
      tracker.mark(touchedBy({ method, url, encoding: undefined, body: Buffer.from(body) }));
  }

  const ids = ['1', '9007199254740993', '18446744073709551615', '"5c56c793-69f3-4fbf-87e6-c4bf54c28c26"'];
  const point = (id: string, n: number): string =>
    `{"id":${id},"vector":{"text":[${n},0.1,0.30000001,${n}],"rows":[[1,2,${n}],[0.1,0.2,0.3]],` +
    `"words":{"indices":[70,3],"values":[0.7,${n}]}},"payload":{"n":${n},"none":null,"float":0.1,"deep":{"b":[1,2.5],"a":"ü"}}}`;
  const seed = (n: number): string =>
    `{"points":[${[...ids, ...Array.from({ length: 300 }, (_, id) => String(id + 10))].map((id) => point(id, n)).join(',')}]}`;

  let publishes = 0;
  async function digest(): Promise<ReturnType<BucketSums['encode']>> {
    publishes += 1;
    await digester.prepare(1);
    await digester.atCut(5_000);
    const made = await digester.finish(
      `p${String(publishes).padStart(4, '0')}`,
      'docs',
      await here.client.count('docs'),
      true,
    );
    if ('absent' in made) throw new Error(made.absent);
    return made;
  }

  const differences = async (published: ReturnType<BucketSums['encode']>): Promise<readonly string[]> => {
    const newest = `p${String(publishes).padStart(4, '0')}`;
    const { differences: found, points } = await compareDigests(
      newest,
      [{ name: 'docs', digest: published }],
      {
        qdrant: there.client,
        publishersBucket: (publishId, name, bucket) => digester.doubted(publishId, name, bucket),
        meanwhile: () => undefined,
      },
    );
    expect(points).toBe(await there.client.count('docs'));
    return found;
  };

  it('are equal for equal data, whatever way it came, with ids of 64 bits told apart', async () => {
    await write(here, 'PUT', '?wait=true', seed(2));
    await write(there, 'PUT', '?wait=true', seed(1));
    for (const id of [...ids].reverse())
      await write(there, 'PUT', '?wait=true', `{"points":[${point(id, 2)}]}`);
    await write(there, 'PUT', '?wait=true', seed(2));
    expect(await differences(await digest())).toEqual([]);
    await write(here, 'PUT', '?wait=true', `{"points":[${point('9007199254740993', 3)}]}`);
    const changed = await digest();
    expect(await differences(changed)).toEqual([
      expect.stringContaining('point 9007199254740993 has another payload and other vectors'),
    ]);
    await write(there, 'PUT', '?wait=true', `{"points":[${point('9007199254740992', 3)}]}`);
    expect(await differences(changed)).toEqual([
      expect.stringMatching(/point 9007199254740992 is only here/),
    ]);
  });

  it.each([
    [
      'payload',
      'POST',
      '/payload?wait=true',
      '{"payload":{"n":7},"points":[11]}',
      'point 11 has another payload',
    ],
    [
      'vector',
      'PUT',
      '/vectors?wait=true',
      '{"points":[{"id":11,"vector":{"text":[1,2,3,4]}}]}',
      'point 11 has other vectors',
    ],
    [
      'sparse vector',
      'PUT',
      '/vectors?wait=true',
      '{"points":[{"id":11,"vector":{"words":{"indices":[3],"values":[1]}}}]}',
      'point 11 has other vectors',
    ],
    [
      'multivector',
      'POST',
      '/vectors/delete?wait=true',
      '{"points":[11],"vector":["rows"]}',
      'point 11 has other vectors',
    ],
    ['missing point', 'POST', '/delete?wait=true', '{"points":[11]}', 'point 11 is missing here'],
    ['extra point', 'PUT', '?wait=true', `{"points":[${point('5000', 1)}]}`, 'point 5000 is only here'],
  ])('name the one point with another %s', async (_what, method, path, body, said) => {
    for (const server of [here, there]) await write(server, 'PUT', '?wait=true', seed(2));
    const published = await digest();
    expect(await differences(published)).toEqual([]);
    await write(there, method, path, body);
    expect(await differences(published)).toEqual([
      expect.stringMatching(new RegExp(`1 of 256 .*: ${said}$`)),
    ]);
  });

  it('have every write that was acknowledged without waiting, by whatever endpoint it came', async () => {
    const writes: [string, string, string][] = [
      ['PUT', '', seed(2)],
      ['PUT', '', seed(5)],
      ['POST', '/payload', '{"payload":{"late":true},"points":[12,13]}'],
      ['PUT', '/payload', '{"payload":{"only":1},"points":[14]}'],
      ['POST', '/payload/delete', '{"keys":["n"],"points":[15]}'],
      ['POST', '/payload/clear', '{"points":[16]}'],
      ['POST', '/vectors/delete', '{"points":[17],"vector":["words"]}'],
      ['POST', '/delete', '{"points":[18]}'],
      ['POST', '/payload', '{"payload":{"by":"filter"},"filter":{"must":[{"key":"n","match":{"value":5}}]}}'],
      [
        'POST',
        '/batch',
        `{"operations":[{"upsert":{"points":[${point('6000', 6)}]}},{"delete":{"points":[19]}}]}`,
      ],
    ];
    let published: ReturnType<BucketSums['encode']> | null = null;
    for (const [method, path, body] of writes) {
      await write(here, method, path, body);
      published = await digest();
      await write(there, method, `${path}?wait=true`, body);
      expect(await differences(published)).toEqual([]);
    }
    // And by its own reading of everything.
    const fresh = new Digester({
      qdrant: here.client,
      tracker: new DirtyTracker(),
      clock: siteClock(),
      folder: `${folder}-fresh`,
    });
    await fresh.prepare(1);
    await fresh.atCut(5_000);
    expect(await fresh.finish('p', 'docs', await here.client.count('docs'), true)).toEqual(published);
    rmSync(`${folder}-fresh`, { recursive: true, force: true });
  });

  it('costs seconds a hundred thousand points to compare, and milliseconds a thousand writes to follow', async () => {
    const size = 128;
    const total = 20_000;
    const shape = { vectors: { size, distance: 'Dot' }, shard_number: 1 };
    await here.client.deleteCollection('docs');
    await here.client.createCollection('docs', shape);
    const points = (from: number, to: number, n: number): string =>
      JSON.stringify({
        points: Array.from({ length: to - from }, (_, offset) => ({
          id: from + offset,
          vector: Array.from({ length: size }, (_value, at) => Math.sin(from + offset + at * n)),
          payload: { n, text: `point ${from + offset}` },
        })),
      });
    for (let from = 0; from < total; from += 1_000)
      await write(here, 'PUT', '?wait=true', points(from, from + 1_000, 1));
    const timed = async <T>(work: () => Promise<T>): Promise<readonly [number, T]> => {
      const started = performance.now();
      const result = await work();
      return [(performance.now() - started) / 1000, result];
    };
    const [whole] = await timed(digest);
    await write(here, 'PUT', '?wait=true', points(5_000, 6_000, 2));
    const [prepare] = await timed(() => digester.prepare(1));
    await write(here, 'PUT', '?wait=true', points(6_000, 6_100, 2));
    const [hold] = await timed(() => digester.atCut(5_000));
    const [finish, made] = await timed(() => digester.finish('p9999', 'docs', total, true));
    if ('absent' in made) throw new Error(made.absent);
    const [compared, found] = await timed(() =>
      compareDigests('p9999', [{ name: 'docs', digest: made }], {
        qdrant: here.client,
        publishersBucket: () => Promise.resolve(null),
        meanwhile: () => undefined,
      }),
    );
    expect(found).toEqual({ differences: [], absent: [], points: total });
    process.stdout.write(
      `${total} points of ${size}: first table ${whole.toFixed(1)} s, compare ${compared.toFixed(1)} s; ` +
        `1000 writes ${prepare.toFixed(2)} s before the hold, 100 writes ${hold.toFixed(2)} s under it, table ${finish.toFixed(2)} s\n`,
    );
    expect(hold).toBeLessThan(1);
  });
});

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { versionFolder } from '../../../infra/contract/weights';
import { verifyModel } from '../verify-model';
import { pullVersion, type Pulled } from './pull';
import { digest, MemoryWeights } from './testing/memory-weights';
import { Throttle } from './throttle';

const PLENTY = 1e12;
const BIG = randomBytes(300_000);
const FILES = {
  'model.safetensors': BIG,
  'config.json': Buffer.from('{"a":1}'),
  'tokenizer/merges.txt': randomBytes(5_000),
  'empty.txt': Buffer.alloc(0),
};

class Killed extends Error {}

let folder: string;
let store: MemoryWeights;
let sha256: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weights-'));
  store = new MemoryWeights();
  sha256 = store.publish(FILES);
});
afterEach(() => fs.rm(folder, { recursive: true }));

const clock = { nowSeconds: () => 0, sleep: () => Promise.resolve() };
const pull = (
  over: { free?: number; step?: (what: string) => void; sha256?: string } = {},
): Promise<Pulled | null> =>
  pullVersion(
    { store, throttle: new Throttle(0, clock), sleep: clock.sleep },
    {
      folder,
      sha256: over.sha256 ?? sha256,
      freeBytes: () => Promise.resolve(over.free ?? PLENTY),
      ...(over.step === undefined ? {} : { step: over.step }),
    },
  );
const versions = async (): Promise<string[]> => (await fs.readdir(folder)).sort();
const here = (hash = sha256): string => versionFolder(folder, hash);

describe('pulling weights', () => {
  it('brings exactly the version whose hash is configured, readable for the engine, once', async () => {
    const bytes = Object.values(FILES).reduce((sum, { length }) => sum + length, 0);
    const before = process.umask(0o077);
    try {
      expect(await pull()).toEqual({ files: 4, bytes, source: 'example/tiny at 0123abc' });
    } finally {
      process.umask(before);
    }
    expect(await verifyModel(here(), sha256)).toBe(4);
    expect((await fs.stat(path.join(here(), 'tokenizer'))).mode & 0o777).toBe(0o755);
    expect((await fs.stat(path.join(here(), 'model.safetensors'))).mode & 0o777).toBe(0o644);
    const { sent } = store;
    expect(await pull()).toBeNull();
    expect(store.sent).toBe(sent);
  });

  it('leaves the version that serves as it is, and shows no half of the new one', async () => {
    await pull();
    const next = store.publish({ ...FILES, 'config.json': Buffer.from('{"a":2}') });
    const shownAt: string[] = [];
    await pull({
      sha256: next,
      step: (what) => {
        if (existsSync(here(next))) shownAt.push(what);
      },
    });
    expect(shownAt).toEqual(['done']);
    expect(await versions()).toEqual([path.basename(here()), path.basename(here(next))].sort());
    expect(await verifyModel(here(), sha256)).toBe(4);
    expect(await verifyModel(here(next), next)).toBe(4);
  });

  it('killed at any step, leaves the version that serves whole, and goes on where it was', async () => {
    await pull();
    const next = store.publish({
      ...FILES,
      'more.bin': randomBytes(9_000),
      'model.safetensors': randomBytes(200_000),
    });
    for (let kills = 0; ; kills += 1) {
      let steps = 0;
      const outcome = await pull({
        sha256: next,
        step: () => {
          steps += 1;
          if (steps > kills) throw new Killed();
        },
      }).catch((error: unknown) => error);
      expect(await verifyModel(here(), sha256)).toBe(4);
      if (!(outcome instanceof Killed)) {
        expect(kills).toBeGreaterThan(10);
        break;
      }
    }
    expect(await verifyModel(here(next), next)).toBe(5);
    expect(await versions()).toHaveLength(2);
  });

  it('goes on from the byte where a connection broke, also in another run', async () => {
    const whole = digest(BIG);
    let broken = 0;
    store.onChunk = (object, at) => {
      if (object === whole && at >= 100_000 * (broken + 1) && broken < 2) {
        broken += 1;
        throw new Error('connection reset');
      }
    };
    await pull();
    const resumed = store.opened.filter((each) => each.sha256 === whole).map(({ from }) => from);
    expect(resumed).toHaveLength(3);
    expect(resumed[1]).toBeGreaterThanOrEqual(99_000);
    expect(store.sent).toBeLessThan(BIG.length + 20_000);
    expect(await verifyModel(here(), sha256)).toBe(4);
  });

  it('gives up on a store that sends nothing, keeps what came, and says what to do', async () => {
    const whole = digest(BIG);
    store.onChunk = (object, at) => {
      if (object === whole && at >= 50_000) throw new Error('connection reset');
    };
    await expect(pull()).rejects.toMatchObject({
      code: 'object-store',
      message: expect.stringMatching(/of 300000 bytes, 5 times \(connection reset\).*apply again/) as string,
    });
    store.onChunk = () => undefined;
    store.opened.length = 0;
    await pull();
    expect(store.opened.find((each) => each.sha256 === whole)?.from).toBeGreaterThanOrEqual(49_000);
  });

  it('refuses an object that was cut short in the store', async () => {
    const whole = digest(BIG);
    store.objects.set(whole, BIG.subarray(0, 1000));
    await expect(pull()).rejects.toMatchObject({ code: 'model-mismatch' });
    expect(await versions()).not.toContain(path.basename(here()));
  });

  it('refuses an object of other bytes, and does not keep them', async () => {
    const whole = digest(BIG);
    const damaged = Buffer.from(BIG);
    damaged[200_000] = (damaged[200_000] ?? 0) ^ 1;
    store.objects.set(whole, damaged);
    await expect(pull()).rejects.toThrow(
      /should have SHA-256 .* remove it there and publish the weights again/,
    );
    store.objects.set(whole, BIG);
    await pull();
    expect(await verifyModel(here(), sha256)).toBe(4);
  });

  it('does not go on from bytes that a sick disk changed', async () => {
    const whole = digest(BIG);
    store.onChunk = (object, at) => {
      if (object === whole && at >= 50_000) throw new Error('connection reset');
    };
    await expect(pull()).rejects.toMatchObject({ code: 'object-store' });
    store.onChunk = () => undefined;
    const [incoming = ''] = await versions();
    const part = path.join(folder, incoming, 'model.safetensors.part');
    await fs.writeFile(part, randomBytes((await fs.stat(part)).size));
    await expect(pull()).rejects.toMatchObject({ code: 'model-mismatch' });
    await pull();
    expect(await verifyModel(here(), sha256)).toBe(4);
  });

  it('names the files that the store lacks before it fetches one', async () => {
    store.objects.delete(digest(FILES['config.json']));
    await expect(pull()).rejects.toThrow(/lacks 1 of 4 files of these weights \(config\.json\)/);
    expect(store.opened.map((each) => each.sha256)).toEqual([sha256]);
  });

  it('refuses a version that nobody published, and a list of other bytes', async () => {
    await expect(pull({ sha256: 'f'.repeat(64) })).rejects.toThrow(/no list of weights weights\/f+: publish/);
    store.objects.set('e'.repeat(64), Buffer.from(`${'a'.repeat(64)}  ../../etc/cron.d/x\n`));
    await expect(pull({ sha256: 'e'.repeat(64) })).rejects.toMatchObject({ code: 'model-mismatch' });
    expect(await verifyModelFolderAbsent()).toBe(true);
  });
  const verifyModelFolderAbsent = async (): Promise<boolean> =>
    !(await versions()).some((name) => /^[0-9a-f]{12}$/.test(name));

  it('refuses to fill the disk before it fetches a byte of weights, and counts what is here already', async () => {
    const spare = 512 * 1024 * 1024;
    await expect(pull({ free: spare + 300_000 })).rejects.toMatchObject({ code: 'disk-full' });
    expect(store.opened.map((each) => each.sha256)).toEqual([sha256]);
    const whole = digest(BIG);
    store.onChunk = (object, at) => {
      if (object === whole && at >= 100_000) throw new Error('connection reset');
    };
    await expect(pull()).rejects.toMatchObject({ code: 'object-store' });
    store.onChunk = () => undefined;
    await expect(pull({ free: spare + 210_000 })).resolves.toMatchObject({ files: 4 });
  });

  it('removes what was begun of a version that is wanted no more', async () => {
    store.onChunk = (_object, at) => {
      if (at >= 100_000) throw new Error('connection reset');
    };
    await expect(pull()).rejects.toMatchObject({ code: 'object-store' });
    store.onChunk = () => undefined;
    const next = store.publish({ 'config.json': Buffer.from('{}') });
    await pull({ sha256: next });
    expect(await versions()).toEqual([path.basename(here(next))]);
  });

  it('holds a few chunks in memory, whatever the size of a file', async () => {
    const chunk = randomBytes(1024 * 1024);
    const count = 96;
    const hash = (await import('node:crypto')).createHash('sha256');
    for (let i = 0; i < count; i += 1) hash.update(chunk);
    const large = hash.digest('hex');
    const sums = Buffer.from(`${large}  large.bin\n`);
    store.objects.set(digest(sums), sums);
    const { size, open } = store;
    store.size = (object) =>
      object === large ? Promise.resolve(chunk.length * count) : size.call(store, object);
    let peak = 0;
    store.open = (object, from) => {
      if (object !== large) return open(object, from);
      return Promise.resolve(
        Readable.from(
          (function* () {
            for (let i = 0; i < count; i += 1) {
              peak = Math.max(peak, process.memoryUsage().arrayBuffers);
              yield Buffer.from(chunk);
            }
          })(),
        ),
      );
    };
    const before = process.memoryUsage().arrayBuffers;
    await pull({ sha256: digest(sums) });
    expect(peak - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('the bound on the rate', () => {
  it('holds for all streams together', async () => {
    let now = 0;
    const throttle = new Throttle(1000, {
      nowSeconds: () => now,
      sleep: (seconds) => {
        now += seconds;
        return Promise.resolve();
      },
    });
    for (let i = 0; i < 11; i += 1) await throttle.take(500);
    expect(now).toBeCloseTo(5);
  });
});

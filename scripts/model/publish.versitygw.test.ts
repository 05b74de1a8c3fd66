/** Publishing to a real S3 store, as the operator's command does. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { parseSums } from '../../infra/contract/weights';
import { readModel, sha256Of } from './folder';
import { publishModel } from './publish';

function findVersitygw(): string | undefined {
  const named = process.env['VERSITYGW_BIN'];
  if (named !== undefined && named !== '') return named;
  const toolchain = path.join(
    process.env['FAILOVER_CACHE'] ?? path.resolve(__dirname, '../../.cache'),
    'toolchain',
  );
  if (!existsSync(toolchain)) return undefined;
  return readdirSync(toolchain)
    .filter((name) => name.startsWith('versitygw-'))
    .map((name) => path.join(toolchain, name, 'versitygw'))
    .find((file) => existsSync(file));
}

const program = findVersitygw();
const describeWithStore = program === undefined ? describe.skip : describe;
const BUCKET = 'snapshots';
const SOURCE = 'example/tiny at 0123abc';
const silent = (): void => undefined;

describeWithStore(`publishing weights${program === undefined ? ' (skipped: no versitygw)' : ''}`, () => {
  let folder: string;
  let data: string;
  let model: string;
  let gateway: ChildProcess;
  let s3: S3Client;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'publish-'));
    data = path.join(folder, 'data');
    await mkdir(data);
    const port = await freePort();
    gateway = spawn(program ?? '', ['--port', `127.0.0.1:${port}`, 'posix', data], {
      env: { ...process.env, ROOT_ACCESS_KEY: 'access', ROOT_SECRET_KEY: 'secret-0123456789' },
      stdio: 'ignore',
    });
    s3 = new S3Client({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'access', secretAccessKey: 'secret-0123456789' },
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
    const end = Date.now() + 10_000;
    while (
      !(await fetch(`http://127.0.0.1:${port}`).then(
        () => true,
        () => false,
      ))
    )
      if (Date.now() > end) throw new Error('the store should listen within 10 s and does not');
  });
  afterAll(async () => {
    s3.destroy();
    const gone = once(gateway, 'exit');
    gateway.kill('SIGTERM');
    await gone;
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    await rm(path.join(data, BUCKET), { recursive: true, force: true });
    await mkdir(path.join(data, BUCKET));
    model = await mkdtemp(path.join(folder, 'model-'));
    await writeFile(path.join(model, 'config.json'), '{"a":1}');
    await mkdir(path.join(model, 'tokenizer'));
    await writeFile(path.join(model, 'tokenizer', 'merges.txt'), 'a b\n');
    // More than one part.
    await writeFile(path.join(model, 'model.safetensors'), Buffer.alloc(20 * 1024 * 1024, 7));
    await mkdir(path.join(model, '.cache'));
    await writeFile(path.join(model, '.cache', 'lock'), 'x');
  });

  const object = (sha256: string): string => path.join(data, BUCKET, 'weights', sha256);
  const publish = async () =>
    publishModel({ s3, bucket: BUCKET }, await readModel(model, SOURCE, silent), silent);

  it('stores each file and the list under their own hashes, and sends nothing twice', async () => {
    const version = await readModel(model, SOURCE, silent);
    expect(await publish()).toMatchObject({ sentFiles: 4, keptFiles: 0 });
    for (const { sha256 } of [...version.files, version])
      expect(sha256Of(await readFile(object(sha256)))).toBe(sha256);
    const list = parseSums((await readFile(object(version.sha256))).toString());
    expect(list).toMatchObject({ ok: true, source: SOURCE });
    expect(await publish()).toEqual({ sentFiles: 0, sentBytes: 0, keptFiles: 4 });
  });

  it('sends only what the version before did not have', async () => {
    await publish();
    await writeFile(path.join(model, 'config.json'), '{"a":2}');
    expect(await publish()).toMatchObject({ sentFiles: 2, keptFiles: 2 });
  });

  it('replaces what an interrupted copy left, and leaves no parts behind', async () => {
    const version = await readModel(model, SOURCE, silent);
    await publish();
    const large = version.files.find(({ path: name }) => name === 'model.safetensors');
    await truncate(object(large?.sha256 ?? ''), 1000);
    expect(await publish()).toMatchObject({ sentFiles: 1 });
    expect(sha256Of(await readFile(object(large?.sha256 ?? '')))).toBe(large?.sha256);
    expect((await readdir(path.join(data, BUCKET, 'weights'))).sort()).toEqual(
      [...version.files, version].map(({ sha256 }) => sha256).sort(),
    );
  });

  it('stores nothing of a file that changes while it is sent, and no list', async () => {
    const version = await readModel(model, SOURCE, silent);
    await writeFile(path.join(model, 'model.safetensors'), Buffer.alloc(20 * 1024 * 1024, 8));
    await expect(publishModel({ s3, bucket: BUCKET }, version, silent)).rejects.toMatchObject({
      code: 'MODEL_FOLDER',
    });
    const large = version.files.find(({ path: name }) => name === 'model.safetensors');
    expect(existsSync(object(large?.sha256 ?? ''))).toBe(false);
    expect(existsSync(object(version.sha256))).toBe(false);
  });

  it('says what to do when the store is not there', async () => {
    const elsewhere = publishModel({ s3, bucket: 'nowhere' }, await readModel(model, SOURCE, silent), silent);
    await expect(elsewhere).rejects.toMatchObject({
      code: 'MODEL_STORE',
      next: [expect.stringContaining('account')],
    });
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A real S3 store on a loopback port, where its executable is at hand. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

export const CREDENTIALS = { accessKey: 'test-access', secretKey: 'test-secret-0123456789' } as const;

/** VERSITYGW_BIN, or what the lab's toolchain has built; undefined when there is neither. */
export function findVersitygw(): string | undefined {
  const named = process.env['VERSITYGW_BIN'];
  if (named !== undefined && named !== '') return named;
  const cache = process.env['FAILOVER_CACHE'] ?? path.resolve(__dirname, '../../../.cache');
  const toolchain = path.join(cache, 'toolchain');
  if (!existsSync(toolchain)) return undefined;
  return readdirSync(toolchain)
    .filter((name) => name.startsWith('versitygw-'))
    .map((name) => path.join(toolchain, name, 'versitygw'))
    .find((file) => existsSync(file));
}

export class Versitygw {
  private constructor(
    readonly endpoint: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(executable: string): Promise<Versitygw> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'lease-store-'));
    const port = await freePort();
    await mkdir(path.join(folder, 'data'));
    const child = spawn(executable, ['--port', `127.0.0.1:${port}`, 'posix', path.join(folder, 'data')], {
      env: { ...process.env, ROOT_ACCESS_KEY: CREDENTIALS.accessKey, ROOT_SECRET_KEY: CREDENTIALS.secretKey },
      stdio: 'ignore',
    });
    const server = new Versitygw(`http://127.0.0.1:${port}`, folder, child);
    await server.answers();
    return server;
  }

  /** Buckets are folders for it. */
  async makeBucket(name: string): Promise<void> {
    await mkdir(path.join(this.folder, 'data', name));
  }

  /** Writes or removes an object without conditions, as a person with the keys could. */
  async put(bucket: string, key: string, body: string | null): Promise<void> {
    const { accessKey: accessKeyId, secretKey: secretAccessKey } = CREDENTIALS;
    const client = new S3Client({
      endpoint: this.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    try {
      const object = { Bucket: bucket, Key: key };
      if (body === null) await client.send(new DeleteObjectCommand(object));
      else await client.send(new PutObjectCommand({ ...object, Body: body }));
    } finally {
      client.destroy();
    }
  }

  /** Writes a file into the store's folder, as a person on the server could. */
  async putBehind(bucket: string, key: string, body: string): Promise<void> {
    await writeFile(path.join(this.folder, 'data', bucket, key), body);
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await gone;
    await rm(this.folder, { recursive: true, force: true });
  }

  private async answers(): Promise<void> {
    const end = Date.now() + 10_000;
    while (Date.now() < end && this.child.exitCode === null) {
      const answered = await fetch(this.endpoint).then(
        () => true,
        () => false,
      );
      if (answered) return;
    }
    throw new Error(`the object store should listen on ${this.endpoint} within 10 s and does not`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

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
  private child: ChildProcess | null = null;

  private constructor(
    private readonly executable: string,
    private readonly port: number,
    private readonly folder: string,
  ) {}

  /** @param within an existing folder for everything that it keeps; absent: one of its own */
  static async start(executable: string, within: string = os.tmpdir()): Promise<Versitygw> {
    const folder = await mkdtemp(path.join(within, 'lease-store-'));
    await mkdir(path.join(folder, 'data'));
    const server = new Versitygw(executable, await freePort(), folder);
    await server.launch();
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it again on what it had. */
  async launch(): Promise<void> {
    const data = path.join(this.folder, 'data');
    this.child = spawn(this.executable, ['--port', `127.0.0.1:${this.port}`, 'posix', data], {
      env: { ...process.env, ROOT_ACCESS_KEY: CREDENTIALS.accessKey, ROOT_SECRET_KEY: CREDENTIALS.secretKey },
      stdio: 'ignore',
    });
    await this.answers(this.child);
  }

  /** Gone without a word; its objects stay. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child?.kill(signal);
  }

  /** Buckets are folders for it. */
  async makeBucket(name: string): Promise<void> {
    await mkdir(this.pathOf(name));
  }

  /** Where an object, or all whose names begin with it and a slash, lies on disk. */
  pathOf(bucket: string, key = ''): string {
    return path.join(this.folder, 'data', bucket, key);
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
    await writeFile(this.pathOf(bucket, key), body);
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
    await rm(this.folder, { recursive: true, force: true });
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  private async answers(child: ChildProcess): Promise<void> {
    const end = Date.now() + 10_000;
    while (Date.now() < end && child.exitCode === null) {
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

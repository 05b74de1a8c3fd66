/** moto, the emulator of AWS, with the SDK that speaks to it: a Python environment, and a server on loopback for as long as a test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureArtifact } from '../cache';
import { run } from '../run';
import { VERSIONS } from '../versions';

const REQUIREMENTS = path.join(__dirname, 'moto-requirements.txt');
const START_MS = 60_000;

/** Answers the environment's interpreter; it has moto and boto3. */
export async function ensureMoto(): Promise<string> {
  const digest = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
    .slice(0, 8);
  const folder = await ensureArtifact(
    `moto-${VERSIONS.moto}-${process.arch}-${digest}`,
    `installing moto ${VERSIONS.moto} from PyPI`,
    async (target) => {
      await run('python3', ['-m', 'venv', target]);
      await run(path.join(target, 'bin', 'python'), [
        ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'],
        ...['--no-deps', '--require-hashes', '--requirement', REQUIREMENTS],
      ]);
    },
  );
  return path.join(folder, 'bin', 'python');
}

export interface Moto {
  /** Such as http://127.0.0.1:34567 */
  readonly endpoint: string;
  readonly python: string;
  /** From now on S3 asks who calls and heeds the policies of users and roles; `false` ends that. Nothing else does. */
  authorize(on: boolean): Promise<void>;
  stop(): Promise<void>;
}

export interface MotoOptions {
  /** @default 127.0.0.1 */
  readonly address?: string;
  /** @default one that is free */
  readonly port?: number;
}

export async function startMoto({ address = '127.0.0.1', port }: MotoOptions = {}): Promise<Moto> {
  const python = await ensureMoto();
  const chosen = port ?? (await freePort());
  const child = spawn(python, [path.join(__dirname, 'moto_server.py'), '-H', address, '-p', String(chosen)], {
    env: { ...process.env, MOTO_IAM_LOAD_MANAGED_POLICIES: 'true' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const endNow = (): boolean => child.kill('SIGKILL');
  process.once('exit', endNow);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
  const endpoint = `http://${address}:${chosen}`;
  const endsAt = Date.now() + START_MS;
  for (;;) {
    const answered = await fetch(`${endpoint}/moto-api/`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) break;
    if (child.exitCode !== null || Date.now() > endsAt)
      throw new Error(
        `moto should answer at ${endpoint} within ${START_MS / 1000} s and does not; it said:\n${said}`,
      );
    await delay(100);
  }
  return {
    endpoint,
    python,
    async authorize(on) {
      const answer = await fetch(`${endpoint}/moto-api/reset-auth`, {
        method: 'POST',
        body: on ? '0' : 'inf',
      });
      if (!answer.ok) throw new Error(`moto answered ${answer.status} when asked to authorize`);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      endNow(); // it keeps nothing
      process.off('exit', endNow);
      await gone;
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

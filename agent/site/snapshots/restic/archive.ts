/** From a shard's snapshot, which is a tar with holes, to a folder of its files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AgentError } from '../../../shared/errors';
import { codeOf, messageOf } from '../../errors';
import { HashingTransform } from '../hashing';
import type { Digest } from '../parts';

export class ArchiveError extends AgentError {
  readonly code = 'ARCHIVE';
}

const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
const UNPACK = ['--extract', '--no-same-owner', '--no-same-permissions', '--file=-'];

/**
 * Reads the stream to its end; memory is bounded, whatever its size.
 *
 * @param folder that exists
 * @returns what came
 */
export async function unpack(body: Readable, folder: string): Promise<Digest> {
  const hashing = new HashingTransform();
  const tar = spawn('tar', [...UNPACK, `--directory=${folder}`], {
    env: ENVIRONMENT,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let said = '';
  tar.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-2000)));
  const ended = once(tar, 'close').then(
    ([code]) => {
      if (code !== 0)
        throw new ArchiveError(`tar could not unpack into ${folder}: ${said.trim() || `exit code ${code}`}`);
    },
    (cause: unknown) => {
      throw new ArchiveError(`tar could not be started: ${messageOf(cause)}. Install it.`, { cause });
    },
  );
  const [read, unpacked] = await Promise.allSettled([
    pipeline(body, hashing, tar.stdin).catch((error: unknown) => {
      tar.kill('SIGKILL');
      throw error;
    }),
    ended,
  ]);
  // When tar goes away first that shows as a broken pipe; why it went is the better answer.
  if (read.status === 'rejected' && codeOf(read.reason) !== 'EPIPE') throw read.reason;
  if (unpacked.status === 'rejected') throw unpacked.reason;
  if (read.status === 'rejected') throw read.reason;
  return { bytes: hashing.bytes, sha256: hashing.digest() };
}

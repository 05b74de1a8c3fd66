import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { isSystemError } from '../../shared/errors';
import { DiskFullError, ModelMismatchError, ObjectStoreError } from '../errors';
import type { WeightsStore } from './store';
import type { Throttle } from './throttle';

export interface FetchPorts {
  readonly store: WeightsStore;
  readonly throttle: Throttle;
  readonly sleep: (seconds: number) => Promise<void>;
}

export interface WantedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** In a row without a single new byte. */
const MAX_FRUITLESS_TRIES = 5;
const PART = '.part';

export const partPath = (file: string): string => `${file}${PART}`;

/** Bytes that an earlier try left; none where there is no such file. */
export async function bytesOf(file: string): Promise<number> {
  try {
    return (await fs.stat(file)).size;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 0;
    throw error;
  }
}

/**
 * Fetches one object into a file, which appears under its name only when it is whole, verified and on the disk. What an
 * earlier try left is continued; memory is a few chunks whatever the size.
 */
export async function fetchFile(ports: FetchPorts, wanted: WantedFile, target: string): Promise<void> {
  const part = partPath(target);
  if ((await bytesOf(part)) > wanted.bytes) await fs.rm(part);
  const digest = createHash('sha256');
  let have = 0;
  if ((await bytesOf(part)) > 0) {
    for await (const chunk of createReadStream(part)) {
      digest.update(chunk as Buffer);
      have += (chunk as Buffer).length;
    }
  }
  const file = await fs.open(part, 'a', 0o644);
  try {
    await file.chmod(0o644);
    let fruitless = 0;
    while (have < wanted.bytes) {
      const before = have;
      const trouble = await copyRest(ports, wanted, have, async (chunk) => {
        await file.appendFile(chunk).catch((error: unknown) => {
          throw isSystemError(error, 'ENOSPC') ? diskFull(wanted, error) : error;
        });
        digest.update(chunk);
        have += chunk.length;
      });
      if (have >= wanted.bytes) break;
      fruitless = have > before ? 0 : fruitless + 1;
      if (fruitless >= MAX_FRUITLESS_TRIES) throw cutShort(wanted, have, trouble);
      await ports.sleep(1 + fruitless);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  const has = digest.digest('hex');
  if (have !== wanted.bytes || has !== wanted.sha256) {
    // Going on from it could never come right.
    await fs.rm(part);
    throw new ModelMismatchError(
      `${wanted.path} should have SHA-256 ${wanted.sha256} and the store sent ${have} bytes of ${has}: apply again; if it ` +
        'happens again the object in the store is damaged: remove it there and publish the weights again',
    );
  }
  await fs.rename(part, target);
}

/** Answers why it stopped; null when the store said that this was all. */
async function copyRest(
  { store, throttle }: FetchPorts,
  wanted: WantedFile,
  from: number,
  write: (chunk: Buffer) => Promise<void>,
): Promise<unknown> {
  let body: Readable;
  try {
    body = await store.open(wanted.sha256, from);
  } catch (error) {
    if (error instanceof ObjectStoreError) return error;
    throw error;
  }
  const writing = { failed: false };
  try {
    for await (const chunk of body) {
      const bytes = chunk as Buffer;
      await throttle.take(bytes.length);
      try {
        await write(bytes);
      } catch (error) {
        writing.failed = true;
        throw error;
      }
    }
    return null;
  } catch (error) {
    // The disk's trouble is not the connection's: trying again would not mend it.
    if (writing.failed) throw error;
    return error;
  } finally {
    body.destroy();
  }
}

function diskFull(wanted: WantedFile, cause: unknown): DiskFullError {
  return new DiskFullError(
    `the disk became full while ${wanted.path} was fetched: free some space and apply again, which goes on from there`,
    { cause },
  );
}

function cutShort(wanted: WantedFile, have: number, trouble: unknown): Error {
  const why = trouble instanceof Error ? trouble.message : 'the answer ended early';
  return new ObjectStoreError(
    `${wanted.path} came to an end after ${have} of ${wanted.bytes} bytes, ${MAX_FRUITLESS_TRIES} times (${why}): see that the ` +
      'store is up and apply again, which goes on from there',
    { cause: trouble },
  );
}

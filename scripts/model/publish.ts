import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { HeadObjectCommand, S3ServiceException, type S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { weightsKey } from '../../infra/contract/weights';
import { ModelFolderError, ModelStoreError } from './errors';
import type { ModelVersion } from './folder';

export interface PublishTarget {
  readonly s3: S3Client;
  readonly bucket: string;
}

export interface Published {
  readonly sentFiles: number;
  readonly sentBytes: number;
  /** Were in the store already. */
  readonly keptFiles: number;
}

interface Content {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly read: () => Readable;
}

/** S3 allows 10,000 parts an object; four of them are in memory at a time. */
const MIN_PART_BYTES = 16 * 1024 * 1024;
const MAX_PARTS = 9_000;
const PARALLEL_PARTS = 4;
const LOST_RACE = [409, 412];

/** Sends what the store lacks; the list of files last, so that a version that has its list is complete. */
export async function publishModel(
  target: PublishTarget,
  version: ModelVersion,
  progress: (text: string) => void,
): Promise<Published> {
  const distinct = [...new Map(version.files.map((file) => [file.sha256, file])).values()];
  const contents: Content[] = [
    ...distinct.map(({ path, sha256, bytes, file }) => ({
      name: path,
      sha256,
      bytes,
      read: () => createReadStream(file),
    })),
    {
      name: 'the list of files',
      sha256: version.sha256,
      bytes: version.sums.length,
      read: () => Readable.from([version.sums]),
    },
  ];
  let sentFiles = 0;
  let sentBytes = 0;
  for (const content of contents) {
    if (!(await ensureObject(target, content))) continue;
    sentFiles += 1;
    sentBytes += content.bytes;
    progress(`sent ${content.name}, ${(content.bytes / 1e6).toFixed(1)} MB`);
  }
  return { sentFiles, sentBytes, keptFiles: contents.length - sentFiles };
}

/** True when it had to be sent. An object of another size is what an interrupted copy by hand leaves, and is replaced. */
async function ensureObject(target: PublishTarget, content: Content): Promise<boolean> {
  const there = await head(target, content.sha256);
  if (there?.bytes === content.bytes) return false;
  const condition = there === null ? { IfNoneMatch: '*' } : { IfMatch: there.etag };
  try {
    await upload(target, content, condition);
  } catch (error) {
    if (error instanceof ModelFolderError) throw error;
    const lost =
      error instanceof S3ServiceException && LOST_RACE.includes(error.$metadata.httpStatusCode ?? 0);
    // Somebody else has sent it meanwhile.
    if (lost && (await head(target, content.sha256))?.bytes === content.bytes) return false;
    throw storeError(target, `take ${content.name}`, error);
  }
  return true;
}

async function upload(
  { s3, bucket }: PublishTarget,
  content: Content,
  condition: { IfNoneMatch: string } | { IfMatch: string },
): Promise<void> {
  const source = content.read();
  const checked = source.pipe(checkedAgainst(content));
  source.once('error', (error) => checked.destroy(error));
  await new Upload({
    client: s3,
    params: { Bucket: bucket, Key: weightsKey(content.sha256), Body: checked, ...condition },
    partSize: Math.max(MIN_PART_BYTES, Math.ceil(content.bytes / MAX_PARTS)),
    queueSize: PARALLEL_PARTS,
  }).done();
}

/** Ends with an error, before the object exists, when the file is not what was hashed. */
function checkedAgainst({ name, sha256 }: Content): Transform {
  const hash = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      if (hash.digest('hex') === sha256) done();
      else
        done(
          new ModelFolderError(`${name} changed while it was sent`, { next: ['publish the folder again'] }),
        );
    },
  });
}

async function head(target: PublishTarget, sha256: string): Promise<{ bytes: number; etag: string } | null> {
  try {
    const answer = await target.s3.send(
      new HeadObjectCommand({ Bucket: target.bucket, Key: weightsKey(sha256) }),
    );
    return { bytes: answer.ContentLength ?? 0, etag: answer.ETag ?? '' };
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return null;
    throw storeError(target, `tell of ${weightsKey(sha256)}`, error);
  }
}

function storeError({ bucket }: PublishTarget, what: string, error: unknown): ModelStoreError {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new ModelStoreError(`the bucket ${bucket} does not ${what}: ${why}`, {
    next: ['see that the store is up and that the account may write below weights/, then publish again'],
  });
}

/**
 * Small objects of an S3 bucket, changed only by conditional PUTs: the lease, and who leads a site.
 *
 * What the store must do (the contract suite checks it): a PUT with `If-Match` or `If-None-Match: *` is atomic, a GET
 * after it shows it, and an ETag never comes back. Retries are off: a repeated PUT whose first copy succeeded would
 * report a conflict with itself.
 */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { s3Client, type S3Location } from '../shared/s3-client';
import { LeaseCorruptError, StoreUnreachableError } from './errors';
import { ABSENT } from './ports';

export interface S3ObjectsOptions extends S3Location {
  readonly bucket: string;
  readonly requestTimeoutMs: number;
}

/** A lease takes some 200 bytes, a site's memory some thousand; more than this is something else. */
const MAX_BYTES = 64 * 1024;

export class S3Objects {
  private readonly client: S3Client;

  constructor(private readonly options: S3ObjectsOptions) {
    const { requestTimeoutMs } = options;
    const limits = { attempts: 1, connectMs: requestTimeoutMs, answerMs: requestTimeoutMs, sockets: 4 };
    this.client = s3Client(options, limits);
  }

  close(): void {
    this.client.destroy();
  }

  /** Keys that begin so, in order. */
  async keys(prefix: string, operation: string): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.send(operation, (abortSignal) =>
        this.client.send(
          new ListObjectsV2Command({
            Bucket: this.options.bucket,
            Prefix: prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          { abortSignal },
        ),
      );
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
    return keys.sort();
  }

  /** The object's text and ETag; null when it is not there. */
  async get(key: string, operation: string): Promise<{ text: string; etag: string } | null> {
    return this.send(operation, async (abortSignal) => {
      try {
        const answer = await this.client.send(
          new GetObjectCommand({ Bucket: this.options.bucket, Key: key }),
          { abortSignal },
        );
        if ((answer.ContentLength ?? 0) > MAX_BYTES) {
          throw new LeaseCorruptError(`an object of ${answer.ContentLength} bytes`);
        }
        const text = await answer.Body?.transformToString('utf8');
        if (text === undefined || answer.ETag === undefined) {
          throw new LeaseCorruptError('an object without content or ETag, put there past the store');
        }
        return { text, etag: answer.ETag };
      } catch (error) {
        // A missing bucket is a mistake in the installation, not a lease that is absent.
        if (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket') return null;
        throw error;
      }
    });
  }

  /** Conditional on the ETag, or on there being none ({@link ABSENT}). */
  async put(
    key: string,
    body: string,
    ifMatch: string,
    operation: string,
  ): Promise<{ etag: string } | 'conflict'> {
    return this.send(operation, async (abortSignal) => {
      try {
        const answer = await this.client.send(
          new PutObjectCommand({
            Bucket: this.options.bucket,
            Key: key,
            Body: body,
            ContentType: 'application/json',
            ...(ifMatch === ABSENT ? { IfNoneMatch: '*' } : { IfMatch: ifMatch }),
          }),
          { abortSignal },
        );
        if (answer.ETag === undefined) throw new Error('an answer without ETag');
        return { etag: answer.ETag };
      } catch (error) {
        if (isConflict(error, ifMatch)) return 'conflict';
        throw error;
      }
    });
  }

  /** Bounds the whole exchange, body included, and names what failed. */
  private async send<T>(operation: string, request: (abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await request(AbortSignal.timeout(this.options.requestTimeoutMs));
    } catch (error) {
      if (error instanceof LeaseCorruptError) throw error;
      throw new StoreUnreachableError(operation, error);
    }
  }
}

function isConflict(error: unknown, ifMatch: string): boolean {
  const status = statusOf(error);
  // 409 is S3's "another conditional write is going on"; 404 to If-Match means that the object is gone.
  return (
    status === 412 ||
    status === 409 ||
    (status === 404 && ifMatch !== ABSENT && nameOf(error) === 'NoSuchKey')
  );
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined;
  const metadata = error.$metadata as { readonly httpStatusCode?: number };
  return metadata.httpStatusCode;
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

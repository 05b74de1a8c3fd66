import type { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand, S3ServiceException, type S3Client } from '@aws-sdk/client-s3';
import { weightsKey } from '../../../infra/contract/weights';
import { s3Client, type S3Location } from '../../shared/s3-client';
import { ObjectStoreError } from '../errors';
import type { WeightsStore } from './store';

export interface S3WeightsOptions extends S3Location {
  readonly bucket: string;
  /** Longest that a connection may say nothing. @default 30000 */
  readonly idleTimeoutMs?: number;
}

export class S3WeightsStore implements WeightsStore {
  private readonly s3: S3Client;

  constructor(private readonly options: S3WeightsOptions) {
    const { idleTimeoutMs = 30_000 } = options;
    this.s3 = s3Client(options, { attempts: 3, connectMs: 10_000, idleMs: idleTimeoutMs, sockets: 50 });
  }

  async size(sha256: string): Promise<number | null> {
    try {
      const answer = await this.s3.send(
        new HeadObjectCommand({ Bucket: this.options.bucket, Key: weightsKey(sha256) }),
      );
      return answer.ContentLength ?? 0;
    } catch (error) {
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return null;
      throw this.unreadable(sha256, error);
    }
  }

  async open(sha256: string, from: number): Promise<Readable> {
    try {
      const answer = await this.s3.send(
        new GetObjectCommand({
          Bucket: this.options.bucket,
          Key: weightsKey(sha256),
          ...(from === 0 ? {} : { Range: `bytes=${from}-` }),
        }),
      );
      const body = answer.Body as Readable;
      // A store that ignores ranges would have its first bytes taken for those in the middle.
      if (from > 0 && answer.ContentRange?.startsWith(`bytes ${from}-`) !== true) {
        body.destroy();
        throw new Error(
          `it answered ${answer.ContentRange ?? 'without a range'} when asked from byte ${from}`,
        );
      }
      return body;
    } catch (error) {
      throw this.unreadable(sha256, error);
    }
  }

  close(): void {
    this.s3.destroy();
  }

  private unreadable(sha256: string, cause: unknown): ObjectStoreError {
    const { endpoint, bucket } = this.options;
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    return new ObjectStoreError(
      `${weightsKey(sha256)} of the bucket ${bucket} at ${endpoint} cannot be read (${why}): see that the store is up, ` +
        "and that this server's account may read it; what is here already stays",
      { cause },
    );
  }
}

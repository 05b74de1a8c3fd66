import { Agent } from 'node:https';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DesiredStateError } from '../errors';
import type { PullOptions } from './options';
import type { ObjectsPort } from './ports';

const TIMEOUT_MS = 60_000;
/** The bundle is by far the largest. */
const MAX_BYTES = 64 * 1024 * 1024;

export type KeyProvider = S3Client['config']['credentials'];

/** The bucket, opened by the instance's role; what the SDK finds in the environment goes first. */
export class S3Objects implements ObjectsPort {
  private readonly client: S3Client;
  private readonly bucket: string;

  constructor({ bucket, region, endpoint }: PullOptions) {
    this.bucket = bucket;
    this.client = new S3Client({
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: 10_000,
        requestTimeout: TIMEOUT_MS,
        httpsAgent: new Agent({ keepAlive: true, maxSockets: 4 }),
      },
    });
  }

  /** Cached by the client until they expire. */
  get keys(): KeyProvider {
    return this.client.config.credentials;
  }

  async get(key: string): Promise<Buffer> {
    return this.explain('read', key, async (abortSignal) => {
      const answer = await this.client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }), {
        abortSignal,
      });
      if ((answer.ContentLength ?? 0) > MAX_BYTES) throw new Error(`it has ${answer.ContentLength} bytes`);
      return Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
    });
  }

  async put(key: string, text: string): Promise<void> {
    const object = { Bucket: this.bucket, Key: key, Body: text, ContentType: 'application/json' };
    await this.explain('write', key, (abortSignal) =>
      this.client.send(new PutObjectCommand(object), { abortSignal }),
    );
  }

  close(): void {
    this.client.destroy();
  }

  private async explain<T>(
    verb: string,
    key: string,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await request(AbortSignal.timeout(TIMEOUT_MS));
    } catch (cause) {
      throw new DesiredStateError(
        `cannot ${verb} s3://${this.bucket}/${key}: see that it is there, that the instance's role may ${verb} it, ` +
          'and that this server reaches the bucket',
        { cause: named(cause) },
      );
    }
  }
}

/** The SDK's errors may have the message "UnknownError", and their name says what they are. */
function named(error: unknown): Error {
  return error instanceof Error ? new Error(`${error.name}: ${error.message}`) : new Error(String(error));
}

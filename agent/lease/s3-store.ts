/**
 * The lease in an S3 bucket, changed only by conditional PUTs.
 *
 * What the store must do (the contract suite checks it): a PUT with `If-Match` or `If-None-Match: *` is atomic, a GET
 * after it shows it, and an ETag never comes back. Retries are off: a repeated PUT whose first copy succeeded would
 * report a conflict with itself.
 */
import { Agent } from 'node:https';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { Lease, LeaseHistoryEntry } from '../../infra/contract/agent-api';
import { LeaseCorruptError, StoreUnreachableError } from './errors';
import {
  decodeLease,
  encodeHistory,
  encodeLease,
  HISTORY_PREFIX,
  historyKey,
  HistoryEntrySchema,
  LEASE_KEY,
} from './lease-format';
import { ABSENT, type LeaseStore } from './ports';

export interface S3LeaseStoreOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Absent: the SDK finds credentials itself, such as those of an EC2 instance's role. */
  readonly account?: { readonly accessKey: string; readonly secretKey: string };
  /** PEM of the authority of the store's certificate; absent: the system's. */
  readonly caCertificate?: string | undefined;
  readonly requestTimeoutMs: number;
}

/** Entries read back; older ones stay in the bucket. */
const HISTORY_READ = 100;
/** A lease takes some 200 bytes; more than this is something else. */
const MAX_LEASE_BYTES = 64 * 1024;

export class S3LeaseStore implements LeaseStore {
  private readonly client: S3Client;

  constructor(private readonly options: S3LeaseStoreOptions) {
    this.client = new S3Client({
      endpoint: options.endpoint,
      region: options.region,
      forcePathStyle: true,
      ...(options.account === undefined
        ? {}
        : {
            credentials: {
              accessKeyId: options.account.accessKey,
              secretAccessKey: options.account.secretKey,
            },
          }),
      maxAttempts: 1,
      // Trailing checksums are not spoken by every S3 store; TLS and the lease's own decoding guard what matters.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: options.requestTimeoutMs,
        requestTimeout: options.requestTimeoutMs,
        httpsAgent: new Agent({
          keepAlive: true,
          maxSockets: 4,
          ...(options.caCertificate === undefined ? {} : { ca: options.caCertificate }),
        }),
      },
    });
  }

  async read(): Promise<{ lease: Lease; etag: string } | 'absent'> {
    const found = await this.get(LEASE_KEY, 'read the lease');
    return found === null ? ABSENT : { lease: decodeLease(found.text), etag: found.etag };
  }

  async write(lease: Lease, ifMatch: string): Promise<{ etag: string } | 'conflict'> {
    return this.put(LEASE_KEY, encodeLease(lease), ifMatch, 'write the lease');
  }

  async appendHistory(entry: LeaseHistoryEntry): Promise<void> {
    // A conflict means that the epoch has its entry already.
    await this.put(historyKey(entry.epoch), encodeHistory(entry), ABSENT, 'write the lease history');
  }

  async history(): Promise<readonly LeaseHistoryEntry[]> {
    const keys = (await this.historyKeys()).slice(-HISTORY_READ);
    const entries: LeaseHistoryEntry[] = [];
    for (const key of keys) {
      const found = await this.get(key, 'read the lease history');
      if (found === null) continue;
      const entry = HistoryEntrySchema.safeParse(parseJson(found.text));
      // The history informs damping and people; an entry spoilt by hand must not stop either.
      if (entry.success) entries.push(entry.data);
    }
    return entries;
  }

  close(): void {
    this.client.destroy();
  }

  private async historyKeys(): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.send('list the lease history', (abortSignal) =>
        this.client.send(
          new ListObjectsV2Command({
            Bucket: this.options.bucket,
            Prefix: HISTORY_PREFIX,
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

  private async get(key: string, operation: string): Promise<{ text: string; etag: string } | null> {
    return this.send(operation, async (abortSignal) => {
      try {
        const answer = await this.client.send(
          new GetObjectCommand({ Bucket: this.options.bucket, Key: key }),
          { abortSignal },
        );
        if ((answer.ContentLength ?? 0) > MAX_LEASE_BYTES) {
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

  private async put(
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // told apart from a valid entry by the schema
  }
}

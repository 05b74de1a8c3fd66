/**
 * Manifests on an S3 store, `<site>/publishes/<id>/manifest.json`, and the pointer `latest`, which moves by `If-Match`
 * only.
 */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { z } from 'zod';
import { s3Client, type S3Location } from '../../shared/s3-client';
import { messageOf } from '../errors';
import { parseManifest, type Manifest } from './manifest';
import {
  PointerInvalidError,
  PublishMissingError,
  SnapshotStoreUnreachableError,
  type LatestPointer,
  type SnapshotStore,
} from './store';

const LATEST = 'latest';
const CLOCK_RESOLUTION_SECONDS = 1;
const Pointer = z.object({ publishId: z.string(), site: z.string(), epoch: z.number() });

export interface S3SnapshotStoreOptions extends S3Location {
  readonly bucket: string;
  readonly requestTimeoutMs?: number;
}

export class S3SnapshotStore implements SnapshotStore {
  private readonly s3: S3Client;
  private readonly bucket: string;
  private readonly timeoutMs: number;

  constructor(options: S3SnapshotStoreOptions) {
    this.bucket = options.bucket;
    this.timeoutMs = options.requestTimeoutMs ?? 10_000;
    this.s3 = s3Client(options, { attempts: 3, connectMs: 5_000, sockets: 8 });
  }

  async putManifest(manifest: Manifest): Promise<void> {
    const Key = manifestKey(manifest.site, manifest.id);
    const Body = JSON.stringify(manifest);
    try {
      await this.s3.send(
        new PutObjectCommand({ Bucket: this.bucket, Key, Body, ContentType: 'application/json' }),
        this.short(),
      );
    } catch (error) {
      throw unreachable(`store ${Key}`, error);
    }
  }

  async readManifest(
    site: string,
    publishId: string,
  ): Promise<{ manifest: Manifest; ageSeconds: number | null }> {
    const key = manifestKey(site, publishId);
    const found = await this.readText(key);
    if (found === null) throw missing(key);
    return { manifest: parseManifest(found.text, key), ageSeconds: found.ageSeconds };
  }

  async readLatest(): Promise<{ pointer: LatestPointer; token: string } | null> {
    const found = await this.readText(LATEST);
    if (found === null) return null;
    let pointer: LatestPointer;
    try {
      pointer = Pointer.parse(JSON.parse(found.text));
    } catch (cause) {
      throw new PointerInvalidError(
        `The object ${LATEST} names no publish (${messageOf(cause)}). Remove it and publish again from the active site.`,
        { cause },
      );
    }
    return { pointer, token: found.etag };
  }

  async moveLatest(pointer: LatestPointer, ifToken: string | null): Promise<'moved' | 'conflict'> {
    const condition = ifToken === null ? { IfNoneMatch: '*' } : { IfMatch: ifToken };
    try {
      await this.s3.send(
        new PutObjectCommand({
          Bucket: this.bucket,
          Key: LATEST,
          Body: JSON.stringify(pointer),
          ContentType: 'application/json',
          ...condition,
        }),
        this.short(),
      );
      return 'moved';
    } catch (error) {
      if (error instanceof S3ServiceException) {
        const status = error.$metadata.httpStatusCode;
        if (status === 412 || status === 409 || status === 404) return this.movedAlready(pointer);
      }
      throw unreachable(`move ${LATEST}`, error);
    }
  }

  async listPublishes(site: string): Promise<string[]> {
    const prefix = `${site}/publishes/`;
    const ids = new Set<string>();
    for await (const key of this.keys(prefix)) {
      const id = key.slice(prefix.length).split('/')[0];
      if (id !== undefined && id !== '') ids.add(id);
    }
    return [...ids].sort();
  }

  async removePublish(site: string, publishId: string): Promise<void> {
    const Key = manifestKey(site, publishId);
    try {
      await this.s3.send(new DeleteObjectCommand({ Bucket: this.bucket, Key }), this.short());
    } catch (error) {
      throw unreachable(`remove ${Key}`, error);
    }
  }

  async close(): Promise<void> {
    this.s3.destroy();
  }

  /** A retry of a move whose answer was lost finds its own work and must not call it a conflict. */
  private async movedAlready(pointer: LatestPointer): Promise<'moved' | 'conflict'> {
    const now = await this.readLatest();
    return now !== null && now.pointer.publishId === pointer.publishId ? 'moved' : 'conflict';
  }

  private async readText(
    key: string,
  ): Promise<{ text: string; etag: string; ageSeconds: number | null } | null> {
    try {
      const command = new GetObjectCommand({ Bucket: this.bucket, Key: key });
      let date: string | undefined;
      command.middlewareStack.add(
        (next) => async (args) => {
          const result = await next(args);
          const response = result.response as { headers?: Record<string, string> };
          date = response.headers?.date;
          return result;
        },
        { step: 'deserialize', priority: 'low' },
      );
      const answer = await this.s3.send(command, this.short());
      const text = (await answer.Body?.transformToString('utf8')) ?? '';
      return { text, etag: answer.ETag ?? '', ageSeconds: storeAge(key, date, answer.LastModified) };
    } catch (error) {
      if (isMissing(error)) return null;
      throw unreachable(`read ${key}`, error);
    }
  }

  private async *keys(prefix: string): AsyncGenerator<string> {
    let token: string | undefined;
    do {
      try {
        const page = await this.s3.send(
          new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, ContinuationToken: token }),
          this.short(),
        );
        for (const object of page.Contents ?? []) if (object.Key !== undefined) yield object.Key;
        token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      } catch (error) {
        throw unreachable(`list ${prefix}`, error);
      }
    } while (token !== undefined);
  }

  private short(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.timeoutMs) };
  }
}

/** Both readings are the store's own; each is cut to a second, so one is added to stay on the old side. */
function storeAge(key: string, date: string | undefined, lastModified: Date | undefined): number | null {
  const now = date === undefined ? Number.NaN : Date.parse(date);
  if (Number.isNaN(now) || lastModified === undefined) {
    throw new SnapshotStoreUnreachableError(
      `The store answered ${key} without Date or Last-Modified, so the age of its data is unknown. ` +
        'Use a store that sends both, and no proxy that strips them.',
    );
  }
  const ageSeconds = (now - lastModified.getTime()) / 1000;
  // Written in the future: the store's clock was set back, by nobody knows how much.
  return ageSeconds < -CLOCK_RESOLUTION_SECONDS ? null : Math.max(0, ageSeconds) + CLOCK_RESOLUTION_SECONDS;
}

function manifestKey(site: string, publishId: string): string {
  return `${site}/publishes/${publishId}/manifest.json`;
}

function isMissing(error: unknown): boolean {
  // A missing bucket is a mistake in the installation, not an object that is absent.
  return error instanceof S3ServiceException && error.name === 'NoSuchKey';
}

function missing(key: string): PublishMissingError {
  return new PublishMissingError(`The store has no ${key}. Publish again from the active site.`);
}

function unreachable(what: string, cause: unknown): Error {
  if (cause instanceof SnapshotStoreUnreachableError || cause instanceof PointerInvalidError) return cause;
  return new SnapshotStoreUnreachableError(
    `Could not ${what} at the object store: ${messageOf(cause)}. Check that the witness is up and this site's account valid.`,
    { cause },
  );
}

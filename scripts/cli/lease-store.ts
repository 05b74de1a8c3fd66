/** The lease and its history, read from the witness itself: the one place that knows when both sites are silent. */
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Lease, LeaseHistoryEntry } from '../../infra/contract/agent-api';
import { parseJson, type OperatorContext } from './context';
import { UnreachableError, describe } from './errors';

export interface LeaseView {
  readonly epoch: number;
  readonly holder: string;
}

/** Read-only. */
export interface LeaseReader {
  lease(): Promise<LeaseView | null>;
  /** Oldest first. */
  history(): Promise<LeaseHistoryEntry[]>;
}

const HISTORY_PREFIX = 'history/';

export class StoreLeaseReader implements LeaseReader {
  constructor(
    private readonly context: OperatorContext,
    private readonly timeoutMs = 4_000,
  ) {}

  async lease(): Promise<LeaseView | null> {
    return this.with(async (store) => {
      const lease = parseJson((await store.get('lease.json')) ?? 'null') as Lease | null | undefined;
      return lease === null || lease === undefined ? null : { epoch: lease.epoch, holder: lease.holder };
    });
  }

  async history(): Promise<LeaseHistoryEntry[]> {
    return this.with(async (store) => {
      const keys = (await store.list(HISTORY_PREFIX)).sort();
      const entries: LeaseHistoryEntry[] = [];
      for (const key of keys) {
        const entry = parseJson((await store.get(key)) ?? 'null') as LeaseHistoryEntry | null | undefined;
        if (entry !== null && entry !== undefined) entries.push(entry);
      }
      return entries;
    });
  }

  private async with<T>(use: (store: ReadOnlyStore) => Promise<T>): Promise<T> {
    const store = await openStore(this.context, this.timeoutMs);
    try {
      return await use(store);
    } catch (error) {
      throw new UnreachableError(
        `the lease store ${this.context.store.endpoint} could not be read: ${describe(error)}`,
        {
          next: [
            'see the runbook, "The witness is lost": a healthy holder goes on without it, but nobody may take over',
          ],
        },
      );
    } finally {
      store.close();
    }
  }
}

interface ReadOnlyStore {
  get(key: string): Promise<string | null>;
  list(prefix: string): Promise<string[]>;
  close(): void;
}

async function openStore(context: OperatorContext, timeoutMs: number): Promise<ReadOnlyStore> {
  // Loaded only when asked for: it is most of this program's size, and `status` should not wait for it twice.
  const { S3Client, GetObjectCommand, ListObjectsV2Command } = await import('@aws-sdk/client-s3');
  const { addresses, endpoint, region, leaseBucket, account } = context.store;
  const witnessAddress = addresses[0];
  const agent = new https.Agent({
    keepAlive: true,
    ...(witnessAddress === undefined ? {} : { lookup: fixedLookup(witnessAddress) }),
    ...(witnessAddress === undefined || context.caCertificate === undefined
      ? {}
      : { ca: context.caCertificate }),
  });
  const client = new S3Client({
    endpoint,
    region,
    forcePathStyle: true,
    maxAttempts: 2,
    ...(account === undefined
      ? {}
      : { credentials: { accessKeyId: account.accessKey, secretAccessKey: account.secretKey } }),
    requestHandler: { httpsAgent: agent, connectionTimeout: timeoutMs, requestTimeout: timeoutMs },
  });
  return {
    get: async (key) => {
      try {
        const answer = await client.send(new GetObjectCommand({ Bucket: leaseBucket, Key: key }));
        return (await answer.Body?.transformToString()) ?? null;
      } catch (error) {
        if ((error as Error).name === 'NoSuchKey') return null;
        throw error;
      }
    },
    list: async (prefix) => {
      const keys: string[] = [];
      let token: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({
            Bucket: leaseBucket,
            Prefix: prefix,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        );
        keys.push(...(page.Contents ?? []).flatMap((item) => (item.Key === undefined ? [] : [item.Key])));
        token = page.NextContinuationToken;
      } while (token !== undefined);
      return keys;
    },
    close: () => {
      client.destroy();
      agent.destroy();
    },
  };
}

/** Leads every name to one address: the certificate is still checked against the name. */
export function fixedLookup(address: string): LookupFunction {
  const family = address.includes(':') ? 6 : 4;
  return (_name, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

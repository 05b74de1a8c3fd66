/** The lease in an S3 bucket, with its history beside it. */
import type { Lease, LeaseHistoryEntry } from '../../infra/contract/agent-api';
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
import { S3Objects, type S3ObjectsOptions } from './s3-objects';

export type S3LeaseStoreOptions = S3ObjectsOptions;

/** Entries read back; older ones stay in the bucket. */
const HISTORY_READ = 100;

export class S3LeaseStore implements LeaseStore {
  private readonly objects: S3Objects;

  constructor(options: S3LeaseStoreOptions) {
    this.objects = new S3Objects(options);
  }

  async read(): Promise<{ lease: Lease; etag: string } | 'absent'> {
    const found = await this.objects.get(LEASE_KEY, 'read the lease');
    return found === null ? ABSENT : { lease: decodeLease(found.text), etag: found.etag };
  }

  async write(lease: Lease, ifMatch: string): Promise<{ etag: string } | 'conflict'> {
    return this.objects.put(LEASE_KEY, encodeLease(lease), ifMatch, 'write the lease');
  }

  async appendHistory(entry: LeaseHistoryEntry): Promise<void> {
    // A conflict means that the epoch has its entry already.
    await this.objects.put(historyKey(entry.epoch), encodeHistory(entry), ABSENT, 'write the lease history');
  }

  async history(): Promise<readonly LeaseHistoryEntry[]> {
    const keys = (await this.objects.keys(HISTORY_PREFIX, 'list the lease history')).slice(-HISTORY_READ);
    const entries: LeaseHistoryEntry[] = [];
    for (const key of keys) {
      const found = await this.objects.get(key, 'read the lease history');
      if (found === null) continue;
      const entry = HistoryEntrySchema.safeParse(parseJson(found.text));
      // The history informs damping and people; an entry spoilt by hand must not stop either.
      if (entry.success) entries.push(entry.data);
    }
    return entries;
  }

  close(): void {
    this.objects.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // told apart from a valid entry by the schema
  }
}

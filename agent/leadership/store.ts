/** Where it is said who leads a site: one object, changed by compare-and-swap, in the lease's bucket. */
import { S3Objects, type S3ObjectsOptions } from '../lease';
import { ABSENT } from './model';
import { decodeRecord, encodeRecord, leaderKey, type LeaderRecord } from './record';

/** `read` and `write` throw where the store gives no answer; what became of such a write is unknown. */
export interface LeaderStore {
  read(): Promise<{ readonly record: LeaderRecord; readonly etag: string } | 'absent'>;
  write(record: LeaderRecord, ifMatch: string): Promise<{ readonly etag: string } | 'conflict'>;
  close(): void;
}

export class S3LeaderStore implements LeaderStore {
  private readonly objects: S3Objects;

  constructor(
    private readonly site: string,
    options: S3ObjectsOptions,
  ) {
    this.objects = new S3Objects(options);
  }

  async read(): Promise<{ record: LeaderRecord; etag: string } | 'absent'> {
    const key = leaderKey(this.site);
    const found = await this.objects.get(key, 'read who leads');
    return found === null ? ABSENT : { record: decodeRecord(found.text, key), etag: found.etag };
  }

  write(record: LeaderRecord, ifMatch: string): Promise<{ etag: string } | 'conflict'> {
    return this.objects.put(leaderKey(this.site), encodeRecord(record), ifMatch, 'write who leads');
  }

  close(): void {
    this.objects.close();
  }
}

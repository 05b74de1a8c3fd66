/**
 * R2's buckets.
 *
 * Shapes: `r2/buckets` of Cloudflare's published OpenAPI description, as its generated clients have them (cloudflare-go
 * `r2/bucket.go`, terraform-provider-cloudflare `internal/services/r2_bucket`): the request is in camel case, the answer
 * in snake case, and jurisdiction and a changed storage class travel as headers. Codes: R2's documentation, "Error codes".
 * A jurisdiction is a world of its own: its buckets are not there for who does not name it.
 */
import { z } from 'zod';
import { checked, Refusal } from './refusal';
import { param, type ApiRequest, type Route } from './route';

const INVALID = 10001;
const StorageClass = z.enum(['Standard', 'InfrequentAccess']);
const Jurisdiction = z.enum(['default', 'eu', 'fedramp']).default('default');
const BucketBody = z.strictObject({
  name: z.string(),
  locationHint: z.enum(['apac', 'eeur', 'enam', 'weur', 'wnam', 'oc']).optional(),
  storageClass: StorageClass.default('Standard'),
});

export interface Bucket {
  readonly name: string;
  readonly creation_date: string;
  readonly jurisdiction: z.output<typeof Jurisdiction>;
  readonly location: string;
  readonly storage_class: z.output<typeof StorageClass>;
}

const jurisdictionOf = ({ headers }: ApiRequest): Bucket['jurisdiction'] =>
  checked(Jurisdiction, headers['cf-r2-jurisdiction'] ?? 'default', INVALID);

export class R2 {
  private readonly buckets = new Map<string, Bucket>();
  private readonly filled = new Set<string>();

  /** Has the bucket hold an object, or none again; it is the S3 interface that would do it. */
  hold(jurisdiction: Bucket['jurisdiction'], name: string, anything: boolean): void {
    if (anything) this.filled.add(`${jurisdiction} ${name}`);
    else this.filled.delete(`${jurisdiction} ${name}`);
  }

  routes(): readonly Route[] {
    const path = '/accounts/:account/r2/buckets';
    return [
      { method: 'POST', path, answer: (asked) => this.create(asked) },
      {
        method: 'GET',
        path,
        answer: (asked) => {
          const here = jurisdictionOf(asked);
          return { buckets: [...this.buckets.values()].filter(({ jurisdiction }) => jurisdiction === here) };
        },
      },
      { method: 'GET', path: `${path}/:name`, answer: (asked) => this.find(asked)[1] },
      {
        method: 'PATCH',
        path: `${path}/:name`,
        answer: (asked) => {
          const [key, bucket] = this.find(asked);
          const storage_class = checked(StorageClass, asked.headers['cf-r2-storage-class'], INVALID);
          const changed = { ...bucket, storage_class };
          this.buckets.set(key, changed);
          return changed;
        },
      },
      {
        method: 'DELETE',
        path: `${path}/:name`,
        answer: (asked) => {
          const [key] = this.find(asked);
          if (this.filled.has(key))
            throw new Refusal(409, 10008, 'The bucket you tried to delete is not empty.');
          this.buckets.delete(key);
          return {};
        },
      },
    ];
  }

  private find(asked: ApiRequest): readonly [key: string, bucket: Bucket] {
    const key = `${jurisdictionOf(asked)} ${param(asked, 'name')}`;
    const bucket = this.buckets.get(key);
    if (bucket === undefined) throw new Refusal(404, 10006, 'The specified bucket does not exist.');
    return [key, bucket];
  }

  private create(asked: ApiRequest): Bucket {
    const { name, locationHint, storageClass } = checked(BucketBody, asked.body, INVALID);
    const jurisdiction = jurisdictionOf(asked);
    if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name))
      throw new Refusal(400, 10005, 'The specified bucket name is not valid.');
    const key = `${jurisdiction} ${name}`;
    if (this.buckets.has(key))
      throw new Refusal(409, 10004, 'The bucket you tried to create already exists, and you own it.');
    const bucket: Bucket = {
      name,
      creation_date: new Date().toISOString(),
      jurisdiction,
      // In capitals, unlike the hint.
      location: (locationHint ?? 'weur').toUpperCase(),
      storage_class: storageClass,
    };
    this.buckets.set(key, bucket);
    return bucket;
  }
}

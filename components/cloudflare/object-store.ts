import * as cloudflare from '@pulumi/cloudflare';
import * as pulumi from '@pulumi/pulumi';

/** One or the other: a jurisdiction is a promise, a location a wish that is heeded for a new name only. */
export type R2Place =
  { readonly jurisdiction: 'eu' } | { readonly location: 'weur' | 'eeur' | 'enam' | 'wnam' | 'apac' | 'oc' };

export interface R2ObjectStoreArgs {
  readonly accountId: string;
  readonly leaseBucket: string;
  readonly snapshotBucket: string;
  /** @default wherever Cloudflare thinks best */
  readonly place?: R2Place;
}

/** R2 knows no regions; its S3 interface wants this word where one is signed. */
export const R2_REGION = 'auto';

/**
 * Buckets for the lease and the publishes, as a witness without a server. R2's PUT honours `If-Match` and
 * `If-None-Match` and is consistent everywhere at once, which is what the lease rests on.
 *
 * The sites' accounts are R2 API tokens with "Object Read & Write" on just these buckets; the id and the SHA-256 of a
 * token are the access key and the secret key. They are not made here: making tokens takes one that may make any token.
 */
export class R2ObjectStore extends pulumi.ComponentResource {
  /** For the agents' `store.endpoint`; its region is {@link R2_REGION}. */
  readonly endpoint: string;

  constructor(name: string, args: R2ObjectStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:cloudflare:R2ObjectStore', name, {}, opts);
    const { accountId, place = {} } = args;
    for (const [role, bucket] of [
      ['lease', args.leaseBucket],
      ['snapshots', args.snapshotBucket],
    ] as const)
      new cloudflare.R2Bucket(
        `${name}-${role}`,
        { accountId, name: bucket, storageClass: 'Standard', ...place },
        { parent: this },
      );
    this.endpoint = r2Endpoint(accountId, args.place);
    this.registerOutputs({ endpoint: this.endpoint });
  }
}

/** Buckets of a jurisdiction answer at its own address only. */
export function r2Endpoint(accountId: string, place?: R2Place): string {
  const inside = place !== undefined && 'jurisdiction' in place ? `.${place.jurisdiction}` : '';
  return `https://${accountId}${inside}.r2.cloudflarestorage.com`;
}

/** What the witness's server must look like, section by section. */
import type { FlatConfig } from '../config/schema';
import { type DnsSpec, FirewallSpec, ObjectStoreSpec } from '../contract/site-spec';
import { artifactSpec } from './artifact';
import { witnessDns } from './dns';
import { witnessFirewall } from './firewall';
import { LEASE_BUCKET, SNAPSHOT_BUCKET, STORE_PORT, STORE_REGION, STORE_ROOT_ACCESS_KEY } from './names';

export interface WitnessSections {
  readonly firewall: FirewallSpec;
  readonly objectStore: ObjectStoreSpec;
  readonly dns: DnsSpec;
}

export function witnessSections(settings: FlatConfig): WitnessSections {
  return {
    firewall: FirewallSpec.parse(witnessFirewall(settings)),
    objectStore: ObjectStoreSpec.parse({
      runtime: artifactSpec({
        artifact: settings.versitygwArtifact,
        sha256: settings.versitygwArtifactSha256,
        member: settings.versitygwArtifactMember,
      }),
      host: settings.witnessHost,
      port: STORE_PORT,
      region: STORE_REGION,
      rootAccessKey: STORE_ROOT_ACCESS_KEY,
      leaseBucket: LEASE_BUCKET,
      snapshotBucket: SNAPSHOT_BUCKET,
      sites: settings.sites.map(({ site }) => site),
    }),
    dns: witnessDns(settings),
  };
}

/** The credential `store-accounts`, as the witness's agent reads it. */
export function storeAccountsFile(
  accounts: Readonly<Record<string, { readonly accessKey: string; readonly secretKey: string }>>,
): string {
  return JSON.stringify(
    Object.entries(accounts).map(([site, { accessKey, secretKey }]) => ({
      access: accessKey,
      secret: secretKey,
      site,
    })),
  );
}

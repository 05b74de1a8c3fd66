import * as pulumi from '@pulumi/pulumi';
import { R2_REGION, R2ObjectStore } from '../components/cloudflare/object-store';
import { SharedSecrets } from '../components/shared-secrets';
import type { CloudflareWitnessConfig } from '../infra/config';
import type { WitnessOutputs } from '../infra/contract/stack-outputs';
import { LEASE_BUCKET, SNAPSHOT_BUCKET } from '../infra/specs/names';
import { declareZone } from './dns';
import type { AsInputs } from './outputs';
import { Protection } from './protection';

/** The witness without a server: the lease and the publishes in R2. The sites' accounts there are made by hand. */
export async function declareCloudflareWitness(
  config: CloudflareWitnessConfig,
): Promise<AsInputs<WitnessOutputs>> {
  const { settings } = config;
  const opts = { protect: settings.protectData };
  const secrets = new SharedSecrets('secrets', { sites: [] });
  const store = new R2ObjectStore(
    'object-store',
    {
      accountId: settings.cloudflareAccountId,
      leaseBucket: LEASE_BUCKET,
      snapshotBucket: SNAPSHOT_BUCKET,
      place: { jurisdiction: 'eu' },
    },
    opts,
  );
  const zone = await declareZone(config);
  new Protection(settings.protectData, [secrets, store, ...zone.resources]);
  return {
    kind: 'witness',
    zone: settings.zone,
    serviceHost: settings.serviceHost,
    servers: [],
    ...zone.outputs,
    storeEndpoint: store.endpoint,
    storeRegion: R2_REGION,
    leaseBucket: LEASE_BUCKET,
    snapshotBucket: SNAPSHOT_BUCKET,
    clientKey: secrets.clientKey,
    operatorKey: secrets.operatorKey,
    peerKey: secrets.peerKey,
    qdrantKey: secrets.qdrantKey,
    vllmKey: secrets.vllmKey,
    repositoryKey: secrets.repositoryKey,
    tsigKey: secrets.tsigKey,
    storeAccounts: pulumi.secret({}),
  };
}

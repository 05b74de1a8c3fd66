/** The site agent daemon. */
import { AGENT_REQUESTS_DIRECTORY } from '../../infra/contract/server-paths';
import { createLogger } from '../shared/logger';
import { S3LeaseStore } from '../lease';
import { readConfiguration, readCredentials } from './configuration';
import { startSite } from './site';
import { S3SnapshotStore } from './snapshots/s3-store';

const STATE_FOLDER = '/var/lib/failover-agent';
const STAGING_FOLDER = '/var/lib/failover-qdrant/snapshots/failover-staging';

/**
 * Runs until SIGTERM or SIGINT.
 *
 * @param configPath the agent section as JSON
 * @param credentialsDirectory folder with one file per credential
 */
export async function runDaemon(configPath: string, credentialsDirectory: string): Promise<void> {
  const logger = createLogger('failover-agent');
  const spec = await readConfiguration(configPath);
  const credentials = await readCredentials(credentialsDirectory, spec);
  const store = {
    endpoint: spec.store.endpoint,
    region: spec.store.region,
    ...(credentials.store === undefined ? {} : { account: credentials.store }),
    ...(spec.store.caCertificate === undefined ? {} : { caCertificate: spec.store.caCertificate }),
  };
  const site = await startSite({
    spec,
    credentials,
    logger,
    agentVersion: agentVersion(),
    folders: { state: STATE_FOLDER, staging: STAGING_FOLDER, requests: AGENT_REQUESTS_DIRECTORY },
    stores: {
      lease: new S3LeaseStore({
        ...store,
        bucket: spec.store.leaseBucket,
        requestTimeoutMs: spec.lease.requestTimeoutSeconds * 1000,
      }),
      snapshots: new S3SnapshotStore({ ...store, bucket: spec.store.snapshotBucket }),
    },
  });
  await stopSignal();
  logger.info('stopping');
  await site.stop();
}

/** The folder that the bundle was released into is named after its digest. */
function agentVersion(): string {
  return /\/releases\/([0-9a-f]{12})\//.exec(__filename)?.[1] ?? 'development';
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

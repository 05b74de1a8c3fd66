/** The site agent daemon. */
import { join } from 'node:path';
import { AGENT_REQUESTS_DIRECTORY } from '../../infra/contract/server-paths';
import { createLogger } from '../shared/logger';
import { leaderConfig, leaderRequestTimeoutMs, S3LeaderStore, SiteShrunkError } from '../leadership';
import { S3LeaseStore } from '../lease';
import { readConfiguration, readCredentials } from './configuration';
import { LEADER_COPY, runServer } from './servers/run';
import { startSite } from './site';
import { S3SnapshotStore } from './snapshots/s3-store';
import { readIfPresent } from './state/durable-file';

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
  const leases = {
    ...store,
    bucket: spec.store.leaseBucket,
    requestTimeoutMs: spec.lease.requestTimeoutSeconds * 1000,
  };
  const lease = new S3LeaseStore(leases);
  const options = {
    spec,
    credentials,
    logger,
    agentVersion: agentVersion(),
    folders: { state: STATE_FOLDER, staging: STAGING_FOLDER, requests: AGENT_REQUESTS_DIRECTORY },
    stores: () => ({
      lease,
      snapshots: new S3SnapshotStore({ ...store, bucket: spec.store.snapshotBucket }),
    }),
  };
  if (spec.servers !== undefined) {
    const stop = new AbortController();
    void stopSignal().then(() => stop.abort());
    const { servers } = spec;
    const leaders = new S3LeaderStore(spec.site, {
      ...leases,
      requestTimeoutMs: leaderRequestTimeoutMs(leaderConfig(spec, servers)),
    });
    await runServer({ ...options, servers, leaders }, stop.signal);
    return;
  }
  const copy = join(STATE_FOLDER, LEADER_COPY);
  if ((await readIfPresent(copy)) !== null) throw new SiteShrunkError(copy);
  const site = await startSite({ ...options, stores: options.stores() });
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

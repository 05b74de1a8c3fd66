/** The site agent daemon. */
import { join } from 'node:path';
import { REPOSITORY_KEY } from '../../infra/contract/agent-credentials';
import { AGENT_REQUESTS_DIRECTORY } from '../../infra/contract/server-paths';
import { createLogger } from '../shared/logger';
import { leaderConfig, leaderRequestTimeoutMs, S3LeaderStore, SiteShrunkError } from '../leadership';
import { S3LeaseStore } from '../lease';
import { readConfiguration, readCredentials } from './configuration';
import { LEADER_COPY, runServer } from './servers/run';
import { startSite } from './site';
import { Restic } from './snapshots/restic/command';
import { ResticParts } from './snapshots/restic/parts';
import { Repository } from './snapshots/restic/repository';
import { S3SnapshotStore } from './snapshots/s3-store';
import { Transfers } from './snapshots/transfers';
import { siteClock } from './state/clock';
import { readIfPresent, writeDurably } from './state/durable-file';

const STATE_FOLDER = '/var/lib/failover-agent';
const STAGING_FOLDER = '/var/lib/failover-qdrant/snapshots/failover-staging';
const PARTS_FOLDER = '/var/lib/failover-qdrant/snapshots/failover-parts';

/**
 * Runs until SIGTERM or SIGINT.
 *
 * @param configPath the agent section as JSON
 * @param credentialsDirectory folder with one file per credential
 * @param resticProgram executable of the backup engine
 */
export async function runDaemon(
  configPath: string,
  credentialsDirectory: string,
  resticProgram: string,
): Promise<void> {
  const logger = createLogger('failover-agent');
  // Restic asks by this signal whether a lock's process lives, and after a reboot its number may be ours.
  process.on('SIGHUP', () => logger.info('SIGHUP means nothing to this agent'));
  const spec = await readConfiguration(configPath);
  const credentials = await readCredentials(credentialsDirectory, spec);
  const store = {
    endpoint: spec.store.endpoint,
    region: spec.store.region,
    ...(credentials.store === undefined ? {} : { account: credentials.store }),
    ...(spec.store.caCertificate === undefined ? {} : { caCertificate: spec.store.caCertificate }),
  };
  const restic = new Restic({
    ...store,
    bucket: spec.store.snapshotBucket,
    program: resticProgram,
    keyFile: join(credentialsDirectory, REPOSITORY_KEY),
    cacheFolder: join(STATE_FOLDER, 'restic-cache'),
    maxMbitPerSecond: spec.snapshots.maxMbitPerSecond,
    ...(await authorityFile(spec.store.caCertificate)),
  });
  const transfers = new Transfers(siteClock(), (line) => logger.info(line));
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
    transfers,
    folders: { state: STATE_FOLDER, staging: STAGING_FOLDER, requests: AGENT_REQUESTS_DIRECTORY },
    stores: () => ({
      lease,
      snapshots: new S3SnapshotStore({ ...store, bucket: spec.store.snapshotBucket }),
      parts: new ResticParts(new Repository(restic, spec.site), PARTS_FOLDER, transfers),
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

/** Restic takes the authority as a file only. */
async function authorityFile(certificate: string | undefined): Promise<{ caFile?: string }> {
  if (certificate === undefined) return {};
  const caFile = join(STATE_FOLDER, 'store-ca.pem');
  await writeDurably(caFile, certificate);
  return { caFile };
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

/** A site's only server as its stack on AWS would describe it, with what the lab has in place of GPUs and S3. */
import { readFile } from 'node:fs/promises';
import { ServerSpec } from '../../infra/contract/site-spec';
import { ON_SERVER, VLLM_ARGS, VLLM_ENVIRONMENT } from '../config';
import { modelSha256 } from '../model/ensure';
import { address, STACKS, subnet, ZONE, type Names } from '../names';
import { CA_FILE } from '../pki';

export const LEASE_BUCKET = 'lab-lease';
export const SNAPSHOT_BUCKET = 'lab-snapshots';
const QDRANT_VERSION = '1.18.3';

export interface ServerSpecOptions {
  readonly names: Names;
  readonly server: string;
  readonly modelFolder: string;
  readonly storeEndpoint: string;
  readonly region: string;
}

export async function serverSpec(options: ServerSpecOptions): Promise<ServerSpec> {
  const { names, server, modelFolder, storeEndpoint, region } = options;
  const site = STACKS.uk;
  const siteHost = `uk.${ZONE}`;
  const peer = { host: `eu.${ZONE}`, addresses: [address(names, 'eu', 1)] };
  const modelHash = await modelSha256(modelFolder);
  const caCertificate = await readFile(CA_FILE, 'utf8');
  return ServerSpec.parse({
    schemaVersion: 1,
    server: { site, name: server },
    firewall: {
      allow: [{ comment: 'edge', protocol: 'tcp', port: 443, from: [subnet(names, 'client')] }],
    },
    vectors: { runtime: { kind: 'path', path: `${ON_SERVER.qdrant}/qdrant` }, version: QDRANT_VERSION },
    inference: {
      runtime: { kind: 'venv', path: ON_SERVER.vllm },
      model: {
        name: 'tiny',
        folder: '/srv/failover/models',
        sha256: modelHash,
        store: { endpoint: storeEndpoint, region, bucket: SNAPSHOT_BUCKET, credentials: 'instance' },
      },
      extraArgs: VLLM_ARGS,
      environment: VLLM_ENVIRONMENT,
      drainSeconds: 5,
    },
    agent: {
      site,
      siteHost,
      peer: { site: STACKS.eu, ...peer },
      caCertificate,
      initialHolder: true,
      lease: { ttlSeconds: 6, safetyMarginSeconds: 1, requestTimeoutSeconds: 1 },
      switching: {
        mode: 'automatic',
        cooldownSeconds: 5,
        maxSwitchesPerHour: 60,
        handoverSyncSeconds: 10,
        engineRestartGraceSeconds: 2,
      },
      canary: { intervalSeconds: 1, timeoutSeconds: 1, failureThreshold: 3, recoveryThreshold: 4 },
      store: {
        endpoint: storeEndpoint,
        region,
        leaseBucket: LEASE_BUCKET,
        snapshotBucket: SNAPSHOT_BUCKET,
        credentials: 'instance',
      },
      snapshots: { rpoSeconds: 900 },
      restic: { kind: 'path', path: `${ON_SERVER.restic}/restic` },
      parity: { configHash: 'lab', modelSha256: modelHash, qdrantVersion: QDRANT_VERSION },
      inference: { port: 8000, modelName: 'tiny' },
      vectors: { port: 6333 },
    },
    edge: { serviceHost: `api.${ZONE}`, siteHost, site, tls: { mode: 'files' }, caCertificate, peer },
    timers: { publishIntervalSeconds: 10, applyIntervalSeconds: 5 },
  });
}

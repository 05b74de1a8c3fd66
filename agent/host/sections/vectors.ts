import { isIPv6 } from 'node:net';
import { stringify } from 'yaml';
import type { VectorsSpec } from '../../../infra/contract/site-spec';
import { ensureArtifact } from '../artifact';
import { checkPort } from '../checks';
import type { Converger } from '../converge';
import { VersionMismatchError } from '../errors';
import { credentialPath, QDRANT_DIRECTORY } from '../paths';
import { ensureUnit } from '../service';
import { execWithKeys, loadCredentials, renderUnit, sandbox } from '../unit-text';
import type { SectionContext } from './context';

export const VECTORS_UNIT = 'failover-qdrant.service';
export const QDRANT_USER = 'failover-qdrant';
const CONFIG_PATH = '/etc/failover/qdrant/config.yaml';
const LOOPBACK = '127.0.0.1';
const EVERYWHERE = '0.0.0.0';
const STORAGE = `${QDRANT_DIRECTORY}/storage`;
export const SNAPSHOTS_DIRECTORY = `${QDRANT_DIRECTORY}/snapshots`;

export async function applyVectors({ converger, document }: SectionContext): Promise<void> {
  const spec = document.vectors;
  if (spec === undefined) return;
  await converger.credential('qdrant-key');
  await checkPort(converger.host, {
    protocol: 'tcp',
    port: spec.port,
    address: spec.cluster === undefined ? LOOPBACK : EVERYWHERE,
    unit: VECTORS_UNIT,
  });
  const program = await ensureArtifact(converger, spec.runtime, 'qdrant');
  await checkProgramVersion(converger, program, spec.version);
  const owner = await converger.user(QDRANT_USER);
  // The agent, in this user's group, stages verified snapshots for Qdrant to recover by file:// location.
  await converger.directory(QDRANT_DIRECTORY, 0o750, owner);
  await converger.tree(STORAGE, 0o750, owner);
  await converger.tree(SNAPSHOTS_DIRECTORY, 0o2770, owner);
  await converger.configDirectory('qdrant');
  await converger.file(CONFIG_PATH, renderQdrantConfig(spec));
  await ensureUnit(converger, {
    name: VECTORS_UNIT,
    content: vectorsUnit(spec, program),
    inputs: [program, CONFIG_PATH, credentialPath('qdrant-key')],
    ready: { timeoutSeconds: 120, probe: () => probe(converger, spec) },
  });
}

export function renderQdrantConfig(spec: VectorsSpec): string {
  const { cluster } = spec;
  return stringify({
    log_level: 'INFO',
    telemetry_disabled: true,
    storage: {
      storage_path: STORAGE,
      snapshots_path: SNAPSHOTS_DIRECTORY,
      temp_path: `${STORAGE}/tmp`,
      ...(cluster === undefined ? {} : { collection: { replication_factor: cluster.replicas } }),
    },
    service: {
      // Qdrant opens the port between nodes where it opens the others; the firewall lets the site's servers have that one alone.
      host: cluster === undefined ? LOOPBACK : EVERYWHERE,
      http_port: spec.port,
      // Only the HTTP API is published by the edge; gRPC would be a second way in.
      grpc_port: null,
      enable_cors: false,
      enable_static_content: false,
      max_request_size_mb: 64,
      // Else whoever reaches the port between nodes needs no key.
      ...(cluster === undefined ? {} : { enforce_internal_auth: true }),
    },
    cluster: cluster === undefined ? { enabled: false } : { enabled: true, p2p: { port: cluster.port } },
  });
}

/** A node that belongs to a cluster already ignores whom it was told to join. */
function clusterArguments({ cluster }: VectorsSpec): string[] {
  if (cluster === undefined) return [];
  const uri = (address: string): string =>
    `http://${isIPv6(address) ? `[${address}]` : address}:${cluster.port}`;
  return [
    '--uri',
    uri(cluster.address),
    ...(cluster.founder === cluster.address ? [] : ['--bootstrap', uri(cluster.founder)]),
  ];
}

export function vectorsUnit(spec: VectorsSpec, program: string): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Qdrant of the failover stack',
        'After=network.target local-fs.target',
        'StartLimitIntervalSec=0',
        // A data volume that is not there must not look like a site without data.
        `RequiresMountsFor=${QDRANT_DIRECTORY}`,
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=exec',
        `User=${QDRANT_USER}`,
        `Group=${QDRANT_USER}`,
        `WorkingDirectory=${QDRANT_DIRECTORY}`,
        ...loadCredentials(['qdrant-key']),
        `ExecStart=${execWithKeys({ QDRANT__SERVICE__API_KEY: 'qdrant-key' }, [program, '--config-path', CONFIG_PATH, ...clusterArguments(spec)])}`,
        'Restart=always',
        'RestartSec=2',
        'TimeoutStopSec=120',
        'LimitNOFILE=65536',
        ...(spec.memoryMax === undefined ? [] : [`MemoryMax=${spec.memoryMax}`]),
        ...sandbox({ writable: [QDRANT_DIRECTORY], allowResourceCalls: true, allowExecutableMemory: true }),
        // Snapshots are read and written by the agent, which is in the group.
        'UMask=0007',
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

async function checkProgramVersion(converger: Converger, program: string, version: string): Promise<void> {
  const result = await converger.command(program, ['--version'], { what: `${program} --version` });
  const actual = /\d+\.\d+\.\d+/.exec(result.stdout)?.[0];
  if (actual !== version) {
    throw new VersionMismatchError(
      `Qdrant should be ${version} on both sites and ${program} is ${actual ?? 'of unknown version'}: ` +
        'snapshots can be restored in both directions only by identical versions; install the pinned one',
    );
  }
}

async function probe(converger: Converger, spec: VectorsSpec): Promise<string | null> {
  const key = await converger.credential('qdrant-key');
  try {
    const ready = await converger.host.http(`http://127.0.0.1:${spec.port}/readyz`, { timeoutSeconds: 2 });
    if (ready.status !== 200) return `/readyz answers ${ready.status}`;
    const root = await converger.host.http(`http://127.0.0.1:${spec.port}/`, {
      headers: { 'api-key': key },
      timeoutSeconds: 2,
    });
    const version = /"version"\s*:\s*"([^"]*)"/.exec(root.body)?.[1];
    if (root.status !== 200) return `it answers ${root.status} to its own key`;
    return version === spec.version
      ? null
      : `it says it is ${version ?? 'of unknown version'}, not ${spec.version}`;
  } catch (error) {
    return error instanceof Error ? error.message : 'no answer';
  }
}

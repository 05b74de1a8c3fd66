import { basename } from 'node:path';
import { AGENT_PORT, GATEWAY_PORT } from '../../../infra/contract/agent-api';
import { agentCredentials } from '../../../infra/contract/agent-credentials';
import { AGENT_REQUESTS_DIRECTORY } from '../../../infra/contract/server-paths';
import type { CredentialName } from '../../../infra/contract/site-spec';
import { ensureArtifact } from '../artifact';
import { checkPort } from '../checks';
import type { Converger } from '../converge';
import {
  AGENT_CONFIG_PATH,
  AGENT_STATE_DIRECTORY,
  BUNDLE_PATH,
  credentialPath,
  NODE_PATH,
  QDRANT_DIRECTORY,
} from '../paths';
import { VersionMismatchError } from '../errors';
import { BUNDLE_INPUTS, ensureUnit } from '../service';
import { execArgument, loadCredentials, renderUnit, sandbox } from '../unit-text';
import type { SectionContext } from './context';
import { applyEngineRestart } from './engine-restart';
import { QDRANT_USER, SNAPSHOTS_DIRECTORY } from './vectors';

export const AGENT_UNIT = 'failover-agent.service';
export const AGENT_USER = 'failover-agent';

export async function applyAgent({ converger, document }: SectionContext): Promise<void> {
  const spec = document.agent;
  if (spec === undefined) return;
  const credentials = agentCredentials(spec);
  for (const name of credentials) await converger.credential(name);
  for (const port of [AGENT_PORT, GATEWAY_PORT]) {
    await checkPort(converger.host, { protocol: 'tcp', port, address: '127.0.0.1', unit: AGENT_UNIT });
  }
  const restic = await ensureArtifact(converger, spec.restic, 'restic');
  await checkRestic(converger, restic);
  const owner = await converger.user(AGENT_USER);
  const qdrant = await converger.user(QDRANT_USER);
  await converger.tree(AGENT_STATE_DIRECTORY, 0o750, owner);
  await converger.directory(QDRANT_DIRECTORY, 0o750, qdrant);
  await converger.tree(SNAPSHOTS_DIRECTORY, 0o2770, qdrant);
  await converger.configDirectory();
  await converger.file(AGENT_CONFIG_PATH, `${JSON.stringify(spec, null, 2)}\n`);
  await applyEngineRestart(converger, AGENT_USER, spec.switching.engineRestartsPerHour);
  await ensureUnit(converger, {
    name: AGENT_UNIT,
    content: agentUnit(credentials, restic),
    inputs: [restic, AGENT_CONFIG_PATH, ...BUNDLE_INPUTS, ...credentials.map(credentialPath)],
    ready: { timeoutSeconds: 60, probe: () => probe(converger) },
  });
}

export function agentUnit(credentials: readonly CredentialName[], restic: string): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Site agent of the failover stack: lease, readiness, write gateway, snapshots',
        'After=network.target',
        'StartLimitIntervalSec=0',
        `RequiresMountsFor=${AGENT_STATE_DIRECTORY} ${QDRANT_DIRECTORY}`,
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=exec',
        `User=${AGENT_USER}`,
        `Group=${AGENT_USER}`,
        `SupplementaryGroups=${QDRANT_USER}`,
        ...loadCredentials(credentials),
        'Environment=NODE_ENV=production',
        // Little is allocated between two collections, so that an idle agent stays under 100 MiB.
        `ExecStart=${NODE_PATH} --max-semi-space-size=1 ${BUNDLE_PATH} run --restic ${execArgument(restic)}`,
        'StateDirectory=failover-agent',
        'StateDirectoryMode=0750',
        `RuntimeDirectory=${basename(AGENT_REQUESTS_DIRECTORY)}`,
        'RuntimeDirectoryMode=0700',
        'Restart=always',
        'RestartSec=1',
        'TimeoutStopSec=15',
        'MemoryMax=1G',
        // Renewing the lease in time must not depend on what the engines leave over.
        'CPUWeight=1000',
        'IOWeight=1000',
        'OOMScoreAdjust=-500',
        'LimitNOFILE=65536',
        ...sandbox({
          writable: [AGENT_STATE_DIRECTORY, SNAPSHOTS_DIRECTORY],
          allowExecutableMemory: true,
        }),
        'UMask=0007',
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

/** In-place restores came with 0.17; what the agent reads of its output was held against this minor version. */
async function checkRestic(converger: Converger, program: string): Promise<void> {
  const result = await converger.command(program, ['version'], { what: `${program} version` });
  if (/^restic 0\.18\./.test(result.stdout)) return;
  throw new VersionMismatchError(
    `${program} should be restic 0.18 and says ${JSON.stringify(result.stdout.trim())}: install the pinned version`,
  );
}

/** Ready or not, `/readyz` answers once the agent is up. */
async function probe(converger: Converger): Promise<string | null> {
  try {
    const { status } = await converger.host.http(`http://127.0.0.1:${AGENT_PORT}/readyz`, {
      timeoutSeconds: 2,
    });
    return status === 200 || status === 503 ? null : `/readyz answers ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : 'no answer';
  }
}

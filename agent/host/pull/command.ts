/** `failover-agent pull` with everything real. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { apply, REAL_SERVICES } from '../apply';
import type { ChangeLog } from '../converge';
import { takeLock } from '../lock';
import { LOCK_PATH } from '../paths';
import { hashFile, RealHost } from '../real-host';
import { S3Objects } from './objects';
import { parsePullOptions } from './options';
import type { PullPorts } from './ports';
import { pull } from './pull';
import { SecretsManager } from './secrets-manager';

const LOCK_WAIT_SECONDS = 1800;

/** `bundle` is the file that runs. Returns the exit status. */
export async function runPull(args: readonly string[], bundle: string, log: ChangeLog): Promise<number> {
  const options = parsePullOptions(args);
  const { region, secretsEndpoint, metadataEndpoint } = options;
  // Where the SDK looks for the role's keys.
  if (metadataEndpoint !== undefined) process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = metadataEndpoint;
  process.env['AWS_REGION'] ??= region;
  const host = new RealHost();
  const objects = new S3Objects(options);
  const ports: PullPorts = {
    host,
    objects,
    secretsIn: (secretsRegion) =>
      new SecretsManager({
        region: secretsRegion,
        keys: objects.keys,
        ...(secretsEndpoint === undefined ? {} : { endpoint: secretsEndpoint }),
      }),
    self: { sha256: await hashFile(bundle), read: () => fs.readFile(bundle) },
    apply: (document, sections) =>
      apply(host, document, log, { ...REAL_SERVICES, needsSsh: false }, { sections }),
    withLock: async (work) => {
      const release = await takeLock(LOCK_PATH, LOCK_WAIT_SECONDS);
      try {
        return await work();
      } finally {
        await release();
      }
    },
    handOver: runBundle,
    now: () => new Date(),
    log,
  };
  try {
    return await pull(ports, options, (text) => process.stderr.write(`failover-agent: ${text}\n`));
  } finally {
    objects.close();
  }
}

function runBundle(bundle: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 128));
  });
}

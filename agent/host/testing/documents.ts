import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { ServerSpec } from '../../../infra/contract/site-spec';

/** Made here once per run: no key of any use is kept in the repository. */
export function makePair(): { certificate: string; privateKey: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pair-'));
  try {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const files = ['-keyout', 'key', '-out', 'cert', '-subj', '/CN=test', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...curve, ...files], { cwd: folder, stdio: 'pipe' });
    const read = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8');
    return { certificate: read('cert'), privateKey: read('key') };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

export const SHA256 = 'a'.repeat(64);

export const SECRETS = {
  'client-key': 'client-secret-1',
  'operator-key': 'operator-secret-1',
  'peer-key': 'peer-secret-1',
  'qdrant-key': 'qdrant-secret-1',
  'vllm-key': 'vllm-secret-1',
  'repository-key': 'repository-secret-1',
  'store-access-key': 'SITEACCESS1',
  'store-secret-key': 'store-secret-1',
  'store-root-secret': 'store-root-secret-1',
  'store-accounts': JSON.stringify([
    { access: 'UKACCESS', secret: 'uk-store-secret-1', site: 'uk-primary' },
    { access: 'EUACCESS', secret: 'eu-store-secret-1', site: 'eu-standby' },
  ]),
  'tsig-key': 'dHNpZy1zZWNyZXQtMTIzNA==',
} as const;

/** A document with every section, as no real server has, so that all are tried at once. */
export function fullDocument(pair: { certificate: string; privateKey: string }): ServerSpec {
  const peer = { host: 'eu.example.com', addresses: ['203.0.113.20'] };
  return ServerSpec.parse({
    schemaVersion: 1,
    server: { site: 'uk-primary', name: 'uk-1' },
    credentials: { ...SECRETS, 'tls-certificate': pair.certificate, 'tls-private-key': pair.privateKey },
    firewall: {
      allow: [
        { comment: 'SSH from operators', protocol: 'tcp', port: 22, from: ['198.51.100.0/24'] },
        { comment: 'clients', protocol: 'tcp', port: 443, from: ['0.0.0.0/0', '::/0'] },
      ],
    },
    inference: {
      runtime: { kind: 'venv', path: '/opt/vllm' },
      model: {
        name: 'tiny',
        folder: '/var/lib/failover-models',
        sha256: SHA256,
        store: {
          endpoint: 'https://witness.example.com:7070',
          region: 'us-east-1',
          bucket: 'failover-snapshots',
        },
      },
      extraArgs: ['--enforce-eager'],
      environment: { OMP_NUM_THREADS: '1', NOTE: 'a "quoted" 50% $HOME' },
    },
    vectors: { runtime: { kind: 'path', path: '/opt/qdrant/qdrant' }, version: '1.18.3' },
    agent: {
      site: 'uk-primary',
      siteHost: 'uk.example.com',
      peer: { site: 'eu-standby', ...peer },
      initialHolder: true,
      lease: { ttlSeconds: 30, safetyMarginSeconds: 5, requestTimeoutSeconds: 3 },
      switching: {
        mode: 'automatic',
        vetoSeconds: 60,
        cooldownSeconds: 300,
        maxSwitchesPerHour: 3,
        handoverSyncSeconds: 30,
      },
      canary: { intervalSeconds: 5, timeoutSeconds: 3, failureThreshold: 3, recoveryThreshold: 5 },
      store: {
        endpoint: 'https://witness.example.com:7070',
        region: 'us-east-1',
        leaseBucket: 'failover-lease',
        snapshotBucket: 'failover-snapshots',
      },
      snapshots: { rpoSeconds: 3600 },
      restic: { kind: 'path', path: '/opt/restic/restic' },
      parity: { configHash: 'c', modelSha256: SHA256, qdrantVersion: '1.18.3' },
      inference: { port: 8000, modelName: 'tiny' },
      vectors: { port: 6333 },
    },
    edge: {
      serviceHost: 'api.example.com',
      siteHost: 'uk.example.com',
      site: 'uk-primary',
      tls: { mode: 'files' },
      peer,
    },
    timers: { publishIntervalSeconds: 300, applyIntervalSeconds: 60 },
    logs: {
      destinations: [
        {
          name: 'uk',
          endpoint: 'https://s3.eu-west-2.amazonaws.com',
          region: 'eu-west-2',
          bucket: 'logs-uk',
        },
        { name: 'eu', endpoint: 'https://store.example.com', region: 'eu-central-1', bucket: 'logs-eu' },
      ],
      credentials: 'account',
    },
    objectStore: {
      runtime: { kind: 'path', path: '/opt/versitygw/versitygw' },
      host: 'witness.example.com',
      region: 'us-east-1',
      rootAccessKey: 'root',
      leaseBucket: 'failover-lease',
      snapshotBucket: 'failover-snapshots',
      sites: ['uk-primary', 'eu-standby'],
    },
    dns: {
      zone: 'example.com',
      serviceHost: 'api.example.com',
      ttlSeconds: 60,
      checkIntervalSeconds: 10,
      nameservers: [
        { host: 'witness.example.com', address: '192.0.2.10' },
        { host: 'uk.example.com', address: '203.0.113.10' },
        { host: 'eu.example.com', address: '203.0.113.20' },
      ],
      listen: ['192.0.2.10'],
      sites: [
        { site: 'uk-primary', host: 'uk.example.com', addresses: ['203.0.113.10'] },
        { site: 'eu-standby', host: 'eu.example.com', addresses: ['203.0.113.20'] },
      ],
      challengeHosts: ['api.example.com', 'uk.example.com', 'eu.example.com'],
      tsigName: 'acme',
    },
  });
}

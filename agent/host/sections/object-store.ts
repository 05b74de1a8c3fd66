import type { ObjectStoreSpec } from '../../../infra/contract/site-spec';
import { WEIGHTS_PREFIX } from '../../../infra/contract/weights';
import { ensureArtifact } from '../artifact';
import { checkPort } from '../checks';
import { SpecInvalidError } from '../errors';
import { credentialPath, OBJECT_STORE_DIRECTORY } from '../paths';
import { ensureUnit } from '../service';
import { environmentLine, execWithKeys, loadCredentials, renderUnit, sandbox } from '../unit-text';
import type { SectionContext } from './context';
import { DERIVED, parseStoreAccounts, type StoreAccounts } from './credentials';

export const OBJECT_STORE_UNIT = 'failover-objectstore.service';
const USER = 'failover-objectstore';
const DATA_DIRECTORY = `${OBJECT_STORE_DIRECTORY}/data`;
const CREDENTIALS = ['store-root-secret', 'tls-certificate', 'tls-private-key', DERIVED.storeUsers] as const;

export async function applyObjectStore({ converger, document, services }: SectionContext): Promise<void> {
  const spec = document.objectStore;
  if (spec === undefined) return;
  const accounts = parseStoreAccounts(await converger.credential('store-accounts'));
  const policies = bucketPolicies(spec, accounts);
  for (const name of CREDENTIALS) await converger.credential(name);
  await checkPort(converger.host, {
    protocol: 'tcp',
    port: spec.port,
    address: '*',
    unit: OBJECT_STORE_UNIT,
  });
  const program = await ensureArtifact(converger, spec.runtime, 'versitygw');
  const owner = await converger.user(USER);
  await converger.directory(OBJECT_STORE_DIRECTORY, 0o750, owner);
  await converger.tree(DATA_DIRECTORY, 0o750, owner);

  const admin = services.objectStore({
    host: spec.host,
    port: spec.port,
    region: spec.region,
    accessKey: spec.rootAccessKey,
    secretKey: await converger.credential('store-root-secret'),
    certificate: await converger.credential('tls-certificate'),
  });
  try {
    await ensureUnit(converger, {
      name: OBJECT_STORE_UNIT,
      content: objectStoreUnit(spec, program),
      inputs: [program, ...CREDENTIALS.map(credentialPath)],
      ready: { timeoutSeconds: 60, probe: () => admin.reachable() },
    });
    for (const [bucket, policy] of policies) {
      if (await admin.ensureBucket(bucket)) converger.changed(`created the bucket ${bucket}`);
      if (await admin.ensurePolicy(bucket, policy))
        converger.changed(`set the policy of the bucket ${bucket}`);
    }
  } finally {
    admin.close();
  }
}

export function objectStoreUnit(spec: ObjectStoreSpec, program: string): string {
  return renderUnit([
    {
      name: 'Unit',
      lines: [
        'Description=Object store of the failover witness',
        'After=network.target failover-firewall.service',
        'StartLimitIntervalSec=0',
      ],
    },
    {
      name: 'Service',
      lines: [
        'Type=exec',
        `User=${USER}`,
        `Group=${USER}`,
        ...loadCredentials(CREDENTIALS),
        environmentLine('ROOT_ACCESS_KEY_ID', spec.rootAccessKey),
        environmentLine('VGW_PORT', `:${spec.port}`),
        environmentLine('VGW_REGION', spec.region),
        'Environment=VGW_CERT=%d/tls-certificate',
        'Environment=VGW_KEY=%d/tls-private-key',
        // The account file lies among the credentials: readable to the store, not writable.
        'Environment=VGW_IAM_DIR=%d',
        // Off the public port: accounts are managed by apply alone.
        'Environment=VGW_ADMIN_PORT=/run/failover-objectstore/admin.sock',
        'Environment=VGW_QUIET=true',
        `ExecStart=${execWithKeys({ ROOT_SECRET_ACCESS_KEY: 'store-root-secret' }, [program, 'posix', DATA_DIRECTORY])}`,
        'RuntimeDirectory=failover-objectstore',
        'RuntimeDirectoryMode=0700',
        'Restart=always',
        'RestartSec=1',
        'LimitNOFILE=65536',
        ...sandbox({ writable: [OBJECT_STORE_DIRECTORY] }),
      ],
    },
    { name: 'Install', lines: ['WantedBy=multi-user.target'] },
  ]);
}

const VERSION = '2012-10-17';

/**
 * Least privilege: every site reads all but who leads the other, writes the lease, adds weights, and writes snapshots only
 * under its own name and the pointer `latest`. No site may delete the lease or its history.
 */
export function bucketPolicies(
  spec: Pick<ObjectStoreSpec, 'leaseBucket' | 'snapshotBucket' | 'sites'>,
  accounts: StoreAccounts,
): [bucket: string, policy: unknown][] {
  const missing = spec.sites.filter((site) => !accounts.some((account) => account.site === site));
  const strangers = accounts.filter(({ site }) => !spec.sites.includes(site)).map(({ site }) => site);
  if (missing.length > 0 || strangers.length > 0) {
    throw new SpecInvalidError(
      `store-accounts should hold one account for each of ${spec.sites.join(', ')}; ` +
        `missing: ${missing.join(', ') || 'none'}, unknown: ${strangers.join(', ') || 'none'}`,
    );
  }
  const everyone = accounts.map(({ access }) => access);
  const arn = (bucket: string, key?: string): string =>
    `arn:aws:s3:::${bucket}${key === undefined ? '' : `/${key}`}`;
  const allow = (
    principals: readonly string[],
    actions: readonly string[],
    resources: readonly string[],
  ) => ({
    Effect: 'Allow',
    Principal: { AWS: principals },
    Action: actions,
    Resource: resources,
  });
  const lease = {
    Version: VERSION,
    Statement: [
      allow(everyone, ['s3:ListBucket'], [arn(spec.leaseBucket)]),
      allow(
        everyone,
        ['s3:GetObject', 's3:PutObject'],
        [arn(spec.leaseBucket, 'lease.json'), arn(spec.leaseBucket, 'history/*')],
      ),
      // Who leads a site, and what it remembers, is its own affair.
      ...accounts.map(({ access, site }) =>
        allow([access], ['s3:GetObject', 's3:PutObject'], [arn(spec.leaseBucket, `leaders/${site}.json`)]),
      ),
    ],
  };
  const snapshots = {
    Version: VERSION,
    Statement: [
      allow(everyone, ['s3:ListBucket'], [arn(spec.snapshotBucket)]),
      allow(everyone, ['s3:GetObject', 's3:GetObjectAttributes'], [arn(spec.snapshotBucket, '*')]),
      allow(everyone, ['s3:PutObject'], [arn(spec.snapshotBucket, 'latest')]),
      // Whoever pulls weights holds them to their hash, and nobody may delete them.
      allow(
        everyone,
        ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
        [arn(spec.snapshotBucket, `${WEIGHTS_PREFIX}*`)],
      ),
      ...accounts.map(({ access, site }) =>
        allow(
          [access],
          ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
          [arn(spec.snapshotBucket, `${site}/*`)],
        ),
      ),
    ],
  };
  return [
    [spec.leaseBucket, lease],
    [spec.snapshotBucket, snapshots],
  ];
}

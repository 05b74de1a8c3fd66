import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as https from 'node:https';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { createObjectStoreAdmin, type ObjectStoreAdmin } from '../object-store-admin';
import { makePair } from '../testing/documents';
import { freePort, waitUntil } from '../edge/testing/haproxy-process';
import { storeUsers } from './credentials';
import { bucketPolicies, objectStoreUnit } from './object-store';

const program =
  process.env['VERSITYGW_BIN'] ??
  path.join(
    process.env['FAILOVER_CACHE'] ?? path.join(__dirname, '../../../.cache'),
    'toolchain/versitygw-1.8.0/versitygw',
  );
const restic =
  process.env['RESTIC_BIN'] ??
  path.join(
    process.env['FAILOVER_CACHE'] ?? path.join(__dirname, '../../../.cache'),
    'toolchain/restic-0.18.0/restic',
  );
const missing = fs.existsSync(program) ? null : `${program} is absent`;
const describeWithStore = missing === null ? describe : describe.skip;

const SPEC = {
  runtime: { kind: 'path', path: program },
  host: 'witness.test',
  port: 7070,
  region: 'us-east-1',
  rootAccessKey: 'root-access',
  leaseBucket: 'failover-lease',
  snapshotBucket: 'failover-snapshots',
  sites: ['uk-primary', 'eu-standby'],
} as const;
const ACCOUNTS = [
  { access: 'UKACCESS', secret: 'uk-secret-0123456789', site: 'uk-primary' },
  { access: 'EUACCESS', secret: 'eu-secret-0123456789', site: 'eu-standby' },
];

describeWithStore(`the object store${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let folder: string;
  let gateway: ChildProcess;
  let admin: ObjectStoreAdmin;
  let port: number;
  const pair = makePair();
  const clients: S3Client[] = [];

  const client = (accessKeyId: string, secretAccessKey: string): S3Client => {
    const made = new S3Client({
      endpoint: `https://127.0.0.1:${port}`,
      region: SPEC.region,
      forcePathStyle: true,
      maxAttempts: 1,
      credentials: { accessKeyId, secretAccessKey },
      requestHandler: { httpsAgent: new https.Agent({ rejectUnauthorized: false }) },
    });
    clients.push(made);
    return made;
  };

  beforeAll(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'store-'));
    port = await freePort();
    const write = (name: string, text: string): void => fs.writeFileSync(path.join(folder, name), text);
    write('tls-certificate', pair.certificate);
    write('tls-private-key', pair.privateKey);
    write('users.json', storeUsers(ACCOUNTS));
    fs.chmodSync(path.join(folder, 'users.json'), 0o400);
    fs.mkdirSync(path.join(folder, 'data'));
    // The environment that the unit gives it, with this test's places.
    const unit = objectStoreUnit({ ...SPEC, port, sites: [...SPEC.sites] }, program);
    const environment = [...unit.matchAll(/^Environment="?([A-Z_]+)=([^"\n]*)"?$/gm)].map(
      ([, name, value]) => [
        name,
        (value ?? '').replace('%d', folder).replace('/run/failover-objectstore', folder),
      ],
    );
    gateway = spawn(program, ['posix', path.join(folder, 'data')], {
      env: { ...Object.fromEntries(environment), ROOT_SECRET_ACCESS_KEY: 'root-secret-0123456789' },
      stdio: 'ignore',
    });
    admin = createObjectStoreAdmin({
      host: SPEC.host,
      port,
      region: SPEC.region,
      accessKey: SPEC.rootAccessKey,
      secretKey: 'root-secret-0123456789',
      certificate: pair.certificate,
    });
    await waitUntil('the store answers', async () => {
      if (gateway.exitCode !== null) throw new Error(`versitygw ended with ${gateway.exitCode}`);
      return (await admin.reachable()) === null;
    });
  }, 30_000);

  afterAll(async () => {
    admin?.close();
    clients.forEach((each) => each.destroy());
    if (gateway?.exitCode === null) {
      gateway.kill('SIGKILL');
      await once(gateway, 'close');
    }
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('gets its buckets and policies once, and is left alone the second time', async () => {
    const policies = bucketPolicies({ ...SPEC, sites: [...SPEC.sites] }, ACCOUNTS);
    const run = async (): Promise<boolean[]> => {
      const changes: boolean[] = [];
      for (const [bucket, policy] of policies) {
        changes.push(await admin.ensureBucket(bucket), await admin.ensurePolicy(bucket, policy));
      }
      return changes;
    };
    expect(await run()).toEqual([true, true, true, true]);
    expect(await run()).toEqual([false, false, false, false]);
  });

  it('refuses a root key that is wrong', async () => {
    const wrong = createObjectStoreAdmin({
      host: SPEC.host,
      port,
      region: SPEC.region,
      accessKey: SPEC.rootAccessKey,
      secretKey: 'not-the-secret',
      certificate: pair.certificate,
    });
    expect(await wrong.reachable()).toBe('it refuses the root account');
    wrong.close();
  });

  it('is not taken for ours when another certificate is presented', async () => {
    const other = createObjectStoreAdmin({
      host: SPEC.host,
      port,
      region: SPEC.region,
      accessKey: SPEC.rootAccessKey,
      secretKey: 'root-secret-0123456789',
      certificate: makePair().certificate,
    });
    expect(await other.reachable()).toContain('another certificate');
    other.close();
  });

  describe('what a site may do', () => {
    const put = (site: S3Client, bucket: string, key: string, conditions = {}): Promise<string> =>
      attempt(site.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'x', ...conditions })));
    const attempt = async (sent: Promise<unknown>): Promise<string> => {
      try {
        await sent;
        return 'ok';
      } catch (error) {
        return error instanceof Error ? error.name : 'unknown';
      }
    };
    const uk = (): S3Client => client('UKACCESS', 'uk-secret-0123456789');
    const eu = (): S3Client => client('EUACCESS', 'eu-secret-0123456789');

    it('adds weights, which the other reads and neither deletes', async () => {
      const [bucket, key] = [SPEC.snapshotBucket, `weights/${'a'.repeat(64)}`];
      expect(await put(uk(), bucket, key, { IfNoneMatch: '*' })).toBe('ok');
      expect(await attempt(eu().send(new GetObjectCommand({ Bucket: bucket, Key: key })))).toBe('ok');
      for (const site of [uk(), eu()])
        expect(await attempt(site.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })))).toBe(
          'AccessDenied',
        );
    });

    it('writes the lease conditionally, reads it and lists its history', async () => {
      const { leaseBucket } = SPEC;
      expect(await put(uk(), leaseBucket, 'lease.json', { IfNoneMatch: '*' })).toBe('ok');
      expect(await put(eu(), leaseBucket, 'lease.json', { IfNoneMatch: '*' })).toBe('PreconditionFailed');
      expect(await put(eu(), leaseBucket, 'lease.json', { IfMatch: '"0"' })).toBe('PreconditionFailed');
      expect(await attempt(eu().send(new GetObjectCommand({ Bucket: leaseBucket, Key: 'lease.json' })))).toBe(
        'ok',
      );
      expect(await put(eu(), leaseBucket, 'history/0000000001.json')).toBe('ok');
      expect(await attempt(uk().send(new ListObjectsV2Command({ Bucket: leaseBucket })))).toBe('ok');
    });

    it('neither deletes the lease nor writes beside it', async () => {
      const { leaseBucket } = SPEC;
      const remove = new DeleteObjectCommand({ Bucket: leaseBucket, Key: 'lease.json' });
      expect(await attempt(uk().send(remove))).toBe('AccessDenied');
      const removeHistory = new DeleteObjectCommand({ Bucket: leaseBucket, Key: 'history/0000000001.json' });
      expect(await attempt(uk().send(removeHistory))).toBe('AccessDenied');
      expect(await put(uk(), leaseBucket, 'other.json')).toBe('AccessDenied');
    });

    it('says who leads itself, and neither reads nor says who leads the other', async () => {
      const { leaseBucket } = SPEC;
      const own = 'leaders/uk-primary.json';
      expect(await put(uk(), leaseBucket, own, { IfNoneMatch: '*' })).toBe('ok');
      expect(await put(uk(), leaseBucket, own, { IfNoneMatch: '*' })).toBe('PreconditionFailed');
      expect(await put(eu(), leaseBucket, own)).toBe('AccessDenied');
      const read = (site: S3Client): Promise<string> =>
        attempt(site.send(new GetObjectCommand({ Bucket: leaseBucket, Key: own })));
      expect([await read(uk()), await read(eu())]).toEqual(['ok', 'AccessDenied']);
      expect(await attempt(uk().send(new DeleteObjectCommand({ Bucket: leaseBucket, Key: own })))).toBe(
        'AccessDenied',
      );
    });

    it('writes and deletes snapshots under its own name only, and reads all', async () => {
      const { snapshotBucket } = SPEC;
      expect(await put(uk(), snapshotBucket, 'uk-primary/publishes/1/manifest.json')).toBe('ok');
      expect(await put(uk(), snapshotBucket, 'latest')).toBe('ok');
      expect(await put(eu(), snapshotBucket, 'uk-primary/publishes/1/manifest.json')).toBe('AccessDenied');
      const key = { Bucket: snapshotBucket, Key: 'uk-primary/publishes/1/manifest.json' };
      expect(await attempt(eu().send(new GetObjectCommand(key)))).toBe('ok');
      expect(await attempt(eu().send(new DeleteObjectCommand(key)))).toBe('AccessDenied');
      expect(await attempt(uk().send(new DeleteObjectCommand(key)))).toBe('ok');
      expect(
        await attempt(uk().send(new DeleteObjectCommand({ Bucket: snapshotBucket, Key: 'latest' }))),
      ).toBe('AccessDenied');
    });

    const itWithRestic = fs.existsSync(restic) ? it : it.skip;
    itWithRestic(
      'keeps a repository of its own, reads the other’s, and can write nothing into that',
      async () => {
        fs.writeFileSync(path.join(folder, 'repository-key'), 'key');
        fs.writeFileSync(path.join(folder, 'file'), 'content');
        const run = async (account: (typeof ACCOUNTS)[number], site: string, ...args: string[]) => {
          const repository = `s3:https://127.0.0.1:${port}/${SPEC.snapshotBucket}/${site}/restic`;
          const child = spawn(
            restic,
            [
              ...['--repo', repository, '--password-file', 'repository-key', '--no-cache', '--insecure-tls'],
              ...['-o', 's3.bucket-lookup=path', '-o', `s3.region=${SPEC.region}`, ...args],
            ],
            {
              cwd: folder,
              env: { AWS_ACCESS_KEY_ID: account.access, AWS_SECRET_ACCESS_KEY: account.secret },
              stdio: 'ignore',
            },
          );
          const [code] = (await once(child, 'close')) as [number];
          return code;
        };
        const [ukAccount, euAccount] = ACCOUNTS as [(typeof ACCOUNTS)[number], (typeof ACCOUNTS)[number]];
        expect(await run(ukAccount, 'uk-primary', 'init')).toBe(0);
        expect(await run(ukAccount, 'uk-primary', 'backup', 'file')).toBe(0);
        expect(await run(ukAccount, 'uk-primary', 'forget', '--keep-last', '1', '--prune')).toBe(0);
        expect(await run(euAccount, 'uk-primary', '--no-lock', 'restore', 'latest', '--target', 'out')).toBe(
          0,
        );
        expect(fs.readFileSync(path.join(folder, 'out', 'file'), 'utf8')).toBe('content');
        expect(await run(euAccount, 'uk-primary', '--no-lock', 'backup', 'file')).not.toBe(0);
        expect(await run(euAccount, 'eu-standby', 'init')).toBe(0);
      },
      120_000,
    );

    it('does not change what it may do, and no stranger gets in', async () => {
      const policy = JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: '*',
            Action: 's3:*',
            Resource: [`arn:aws:s3:::${SPEC.leaseBucket}/*`],
          },
        ],
      });
      const change = new PutBucketPolicyCommand({ Bucket: SPEC.leaseBucket, Policy: policy });
      expect(await attempt(uk().send(change))).toBe('AccessDenied');
      expect(await put(client('UKACCESS', 'wrong-secret'), SPEC.leaseBucket, 'lease.json')).toBe(
        'SignatureDoesNotMatch',
      );
    });

    it('finds no administration on the public port, not even with the root key', async () => {
      const cli = spawn(
        program,
        ['admin', '--endpoint-url', `https://127.0.0.1:${port}`, '--allow-insecure', 'list-users'],
        {
          env: { ADMIN_ACCESS_KEY_ID: SPEC.rootAccessKey, ADMIN_SECRET_ACCESS_KEY: 'root-secret-0123456789' },
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
      let output = '';
      cli.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const [code] = (await once(cli, 'close')) as [number];
      expect(code).not.toBe(0);
      expect(output).not.toContain('UKACCESS');
    });
  });
});

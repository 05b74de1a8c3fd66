/** Pull against a real S3 store and a stand-in of Secrets Manager. */
import { AppliedState, desiredKey, statusKey } from '../../../infra/contract/desired-state';
import { CREDENTIALS, findVersitygw, Versitygw } from '../../lease/testing/versitygw';
import { S3Objects } from './objects';
import type { PullOptions } from './options';
import type { PullPorts } from './ports';
import { FAILED_AND_TOLD, pull } from './pull';
import { SecretsManager } from './secrets-manager';
import { FakeSecretsManager } from './testing/fake-secrets-manager';
import { arnOf, makeDocument, OPTIONS, PullWorld, SERVER, sha256 } from './testing/pull-world';

jest.setTimeout(60_000);
const executable = findVersitygw();
const BUCKET = OPTIONS.bucket;
const { spec, credentials } = makeDocument();
const KEYS = { AWS_ACCESS_KEY_ID: CREDENTIALS.accessKey, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretKey };

/** As the SDK looks for them; the store knows one region. */
function withKeys(): () => void {
  const before = { ...process.env };
  Object.assign(process.env, KEYS);
  return () => {
    process.env = before;
  };
}

(executable === undefined ? describe.skip : describe)('a server and its bucket', () => {
  let store: Versitygw;
  let service: FakeSecretsManager;
  let options: PullOptions;
  let objects: S3Objects;
  let restore: () => void;
  let server: PullWorld;
  beforeEach(async () => {
    restore = withKeys();
    store = await Versitygw.start(executable ?? '');
    await store.makeBucket(BUCKET);
    server = new PullWorld(spec, credentials, 'bundle 1');
    service = new FakeSecretsManager(CREDENTIALS.secretKey, () => server.time);
    for (const [name, value] of Object.entries(credentials)) service.rotate(arnOf(name), value);
    options = {
      ...OPTIONS,
      region: 'us-east-1',
      endpoint: store.endpoint,
      secretsEndpoint: await service.start(),
    };
    objects = new S3Objects(options);
    await deploy();
  });
  afterEach(async () => {
    objects.close();
    await service.stop();
    await store.stop();
    restore();
  });

  async function deploy(): Promise<void> {
    for (const [key, content] of server.objects.objects) await store.put(BUCKET, key, content);
  }
  function ports(bundle: string): PullPorts {
    return {
      ...server.ports(bundle),
      objects,
      secretsIn: (region) =>
        new SecretsManager({ region, keys: objects.keys, endpoint: options.secretsEndpoint ?? '' }),
      handOver: (file) => run(server.world.host.text(file) ?? ''),
    };
  }
  const run = (bundle: string, install = false): Promise<number> =>
    pull(ports(bundle), { ...options, install }, (text) => server.errors.push(text));
  const status = async (): Promise<AppliedState> =>
    AppliedState.parse(JSON.parse((await objects.get(statusKey(SERVER))).toString()));

  it('are brought together from first boot over a new release to a new key', async () => {
    expect(await run('bundle 1', true)).toBe(0);
    expect(await run('bundle 1')).toBe(0);
    expect(await status()).toMatchObject({ ok: true, bundle: sha256('bundle 1') });
    const { host } = server.world;
    expect(host.text('/etc/failover/credentials/vllm-key')).toBe('vllm-secret-1');

    const { mutations } = host;
    expect(await run('bundle 1')).toBe(0);
    expect(host.mutations).toBe(mutations);

    service.rotate(arnOf('operator-key'), 'operator-secret-2');
    server.deploy('bundle 2', spec);
    await deploy();
    expect(await run('bundle 1')).toBe(0);
    expect(await status()).toMatchObject({ ok: true, bundle: sha256('bundle 2') });
    expect(host.text('/opt/failover/current/failover-agent.js')).toBe('bundle 2');
    expect(host.text('/etc/failover/credentials/operator-key')).toBe('operator-secret-2\noperator-secret-1');
    expect(server.errors).toEqual([]);

    await store.put(BUCKET, desiredKey(SERVER), null);
    expect(await run('bundle 2')).toBe(FAILED_AND_TOLD);
    expect((await status()).error).toContain(`cannot read s3://${BUCKET}/${desiredKey(SERVER)}`);
    expect((await status()).error).toContain('NoSuchKey');
  });
});

import { SecretsManager } from './secrets-manager';
import { FakeSecretsManager } from './testing/fake-secrets-manager';

const KEYS = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a/secret+key' };
const ARN = 'arn:aws:secretsmanager:eu-west-2:111122223333:secret:failover/peer-key-AbCdEf';
const BUSY = [400, { __type: 'com.amazon.coral.service#ThrottlingException' }] as const;

let service: FakeSecretsManager;
let endpoint: string;
let client: SecretsManager;
const clientOf = (secretAccessKey: string, at = endpoint): SecretsManager =>
  new SecretsManager({
    region: 'eu-west-2',
    endpoint: at,
    keys: () => Promise.resolve({ ...KEYS, secretAccessKey }),
    pauseMs: 1,
  });
beforeEach(async () => {
  service = new FakeSecretsManager(KEYS.secretAccessKey);
  endpoint = await service.start();
  client = clientOf(KEYS.secretAccessKey);
});
afterEach(() => service.stop());

it('reads the current and the previous version with signed requests', async () => {
  service.rotate(ARN, 'one');
  expect(await client.read(ARN, 'AWSPREVIOUS')).toBeNull();
  service.rotate(ARN, 'two');
  expect(await client.read(ARN, 'AWSCURRENT')).toMatchObject({ value: 'two', versionId: 'v2' });
  const previous = await client.read(ARN, 'AWSPREVIOUS');
  expect(previous).toMatchObject({ value: 'one', versionId: 'v1' });
  expect(Math.abs(Date.now() - (previous?.createdAt.getTime() ?? 0))).toBeLessThan(10_000);
});

it('asks again while the service is busy', async () => {
  service.rotate(ARN, 'one');
  service.refusals.push(BUSY, [503, {}]);
  expect(await client.read(ARN, 'AWSCURRENT')).toMatchObject({ value: 'one' });
});

it.each([
  ['a secret without a value', [], 'answered 400 ResourceNotFoundException'],
  [
    'a role that may not',
    [[400, { __type: 'AccessDeniedException', message: 'no kms:Decrypt' }]],
    'no kms:Decrypt',
  ],
  ['a service that stays busy', [BUSY, BUSY, BUSY], 'ThrottlingException'],
  ['a secret that is no text', [[200, { SecretBinary: 'aHVzaA==' }]], 'give the secret a SecretString'],
] as const)('says what is wrong with %s, and quotes nothing of it', async (_what, refusals, words) => {
  service.refusals.push(...refusals);
  const error: unknown = await client.read(ARN, 'AWSCURRENT').catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'secret-unavailable' });
  expect(String(error)).toContain(words);
  expect(String(error)).toContain(ARN);
  expect(String(error)).not.toContain('aHVzaA');
});

it('is refused with another key', async () => {
  service.rotate(ARN, 'one');
  await expect(clientOf('other').read(ARN, 'AWSCURRENT')).rejects.toThrow('InvalidSignatureException');
});

it('names the service that does not answer', async () => {
  await expect(clientOf(KEYS.secretAccessKey, 'http://127.0.0.1:1').read(ARN, 'AWSCURRENT')).rejects.toThrow(
    'no answer from 127.0.0.1:1',
  );
});

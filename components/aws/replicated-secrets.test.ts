import { named, record, Secret } from '../testing/recording';
import { ReplicatedSecrets } from './replicated-secrets';

const declare = () =>
  record(
    () =>
      new ReplicatedSecrets('secrets', {
        prefix: 'failover',
        region: 'eu-west-2',
        replicaRegion: 'eu-central-1',
        values: { 'client-key': 'hush' },
        protect: true,
      }),
  );

describe('ReplicatedSecrets', () => {
  it('has one key that both regions can decrypt with', async () => {
    const { resources } = await declare();
    expect(named(resources, 'secrets-key').inputs).toEqual({
      region: 'eu-west-2',
      description: 'Secrets of failover',
      multiRegion: true,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
    });
    expect(named(resources, 'secrets-key-replica').inputs).toEqual({
      region: 'eu-central-1',
      description: 'Secrets of failover',
      primaryKeyArn: 'arn:secrets-key',
      deletionWindowInDays: 30,
    });
  });

  it('keeps a replica of every secret in the other region', async () => {
    const { resources } = await declare();
    expect(named(resources, 'secrets-client-key').inputs).toEqual({
      region: 'eu-west-2',
      name: 'failover/client-key',
      kmsKeyId: 'arn:secrets-key',
      replicas: [{ region: 'eu-central-1', kmsKeyId: 'arn:secrets-key-replica' }],
      recoveryWindowInDays: 30,
      forceOverwriteReplicaSecret: false,
    });
  });

  it('trap 34: hands the value over as a secret only', async () => {
    const { resources } = await declare();
    expect(named(resources, 'secrets-client-key-value').inputs).toEqual({
      region: 'eu-west-2',
      secretId: 'secrets-client-key-id',
      secretString: new Secret('hush'),
    });
    expect(JSON.stringify(resources.filter(({ name }) => !name.endsWith('-value')))).not.toContain('hush');
  });

  it('protects what cannot be had again, and lets a rotation replace a version', async () => {
    const { resources } = await declare();
    const custom = resources.filter(({ type }) => type.startsWith('aws:'));
    expect(custom.filter(({ protect }) => protect).map(({ name }) => name)).toEqual([
      'secrets-key',
      'secrets-key-replica',
      'secrets-client-key',
    ]);
  });
});

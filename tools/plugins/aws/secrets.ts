/** Secrets Manager. */
import type { JsonMap } from './bridge';
import { type AwsType, FLAG, NUMBER, REQUIRED, STRING, text } from './resource';

const REPLICA = { fields: { region: REQUIRED, kmsKeyId: STRING } } as const;

const regionsOf = (replicas: unknown): string[] =>
  ((replicas ?? []) as JsonMap[]).map(({ region }) => text(region)).sort();

const secret: AwsType = {
  fields: {
    name: REQUIRED,
    kmsKeyId: STRING,
    replicas: { type: { listOf: REPLICA } },
    recoveryWindowInDays: NUMBER,
    forceOverwriteReplicaSecret: FLAG,
  },
  replaceOn: ['name', 'replicas'],
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask('secretsmanager', 'create_secret', {
      Name: inputs['name'],
      KmsKeyId: inputs['kmsKeyId'],
      AddReplicaRegions: ((inputs['replicas'] ?? []) as JsonMap[]).map(({ region, kmsKeyId }) => ({
        Region: region,
        KmsKeyId: kmsKeyId,
      })),
      ForceOverwriteReplicaSecret: inputs['forceOverwriteReplicaSecret'],
    });
    return { id: text(made['ARN']), arn: made['ARN'] };
  },
  async update(inputs, state, { ask }) {
    await ask('secretsmanager', 'update_secret', { SecretId: state['id'], KmsKeyId: inputs['kmsKeyId'] });
    return {};
  },
  async read(id, state, { ask }) {
    const told = await ask('secretsmanager', 'describe_secret', { SecretId: id });
    if (told['DeletedDate'] !== undefined && told['DeletedDate'] !== null) return undefined;
    const there = ((told['ReplicationStatus'] ?? []) as JsonMap[]).map(({ Region }) => text(Region)).sort();
    const wanted = regionsOf(state['replicas']);
    return there.join() === wanted.join()
      ? { arn: told['ARN'] }
      : { replicas: there.map((region) => ({ region })) };
  },
  async delete(state, { ask }) {
    const SecretId = state['id'];
    const RemoveReplicaRegions = regionsOf(state['replicas']);
    if (RemoveReplicaRegions.length > 0)
      await ask('secretsmanager', 'remove_regions_from_replication', { SecretId, RemoveReplicaRegions });
    return ask('secretsmanager', 'delete_secret', {
      SecretId,
      ...(state['recoveryWindowInDays'] === 0
        ? { ForceDeleteWithoutRecovery: true }
        : { RecoveryWindowInDays: state['recoveryWindowInDays'] }),
    });
  },
};

const secretVersion: AwsType = {
  fields: { secretId: REQUIRED, secretString: { type: 'string', required: true, secret: true } },
  replaceOn: 'all',
  outputs: ['arn', 'versionId'],
  async create(inputs, { ask }) {
    const made = await ask('secretsmanager', 'put_secret_value', {
      SecretId: inputs['secretId'],
      SecretString: inputs['secretString'],
    });
    return {
      id: `${text(made['ARN'])}|${text(made['VersionId'])}`,
      arn: made['ARN'],
      versionId: made['VersionId'],
    };
  },
  // The newer one is current by now, and this one stays as AWSPREVIOUS; the last one goes with its secret.
  delete: async () => undefined,
};

export const secretTypes: Readonly<Record<string, AwsType>> = {
  'aws:secretsmanager/secret:Secret': secret,
  'aws:secretsmanager/secretVersion:SecretVersion': secretVersion,
};

/** S3: buckets, their settings, and objects. */
import { readFile } from 'node:fs/promises';
import type { Json, JsonMap } from './bridge';
import { type AwsType, at, type Context, FLAG, REQUIRED, STRING, text } from './resource';

const bucket: AwsType = {
  fields: { bucket: REQUIRED, objectLockEnabled: FLAG, forceDestroy: FLAG },
  replaceOn: ['bucket', 'objectLockEnabled'],
  outputs: ['arn'],
  async create(inputs, { ask, region }) {
    await ask('s3', 'create_bucket', {
      Bucket: inputs['bucket'],
      ObjectLockEnabledForBucket: inputs['objectLockEnabled'] ?? false,
      ...(region === 'us-east-1' ? {} : { CreateBucketConfiguration: { LocationConstraint: region } }),
    });
    const name = text(inputs['bucket']);
    return { id: name, arn: `arn:aws:s3:::${name}` };
  },
  update: async () => ({}),
  async delete(state, context) {
    if (state['forceDestroy'] === true) await deleteVersions(context, text(state['bucket']), '');
    return context.ask('s3', 'delete_bucket', { Bucket: state['bucket'] });
  },
};

async function deleteVersions({ ask }: Context, Bucket: string, Prefix: string): Promise<void> {
  const told = await ask('s3', 'list_object_versions', { Bucket, Prefix });
  const versions = [
    ...((told['Versions'] ?? []) as JsonMap[]),
    ...((told['DeleteMarkers'] ?? []) as JsonMap[]),
  ];
  for (const { Key, VersionId } of versions) await ask('s3', 'delete_object', { Bucket, Key, VersionId });
}

interface Setting {
  readonly fields: AwsType['fields'];
  readonly put: (inputs: JsonMap) => readonly [operation: string, params: JsonMap];
  /** Absent: it cannot be taken away, and goes with the bucket. */
  readonly remove?: string;
}

/** A part of a bucket's configuration, which the vendor makes a resource of its own. */
function bucketSetting({ fields, put, remove }: Setting): AwsType {
  const apply = async (inputs: JsonMap, { ask }: Context): Promise<void> => {
    const [operation, params] = put(inputs);
    await ask('s3', operation, { Bucket: inputs['bucket'], ...params });
  };
  return {
    fields: { bucket: REQUIRED, ...fields },
    replaceOn: ['bucket'],
    outputs: [],
    async create(inputs, context) {
      await apply(inputs, context);
      return { id: text(inputs['bucket']) };
    },
    async update(inputs, _state, context) {
      await apply(inputs, context);
      return {};
    },
    delete: async (state, { ask }) =>
      remove === undefined ? undefined : ask('s3', remove, { Bucket: state['bucket'] }),
  };
}

const CLOSED = {
  blockPublicAcls: FLAG,
  blockPublicPolicy: FLAG,
  ignorePublicAcls: FLAG,
  restrictPublicBuckets: FLAG,
} as const;
const upperFirst = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;

const settings: Readonly<Record<string, Setting>> = {
  'aws:s3/bucketVersioning:BucketVersioning': {
    fields: { versioningConfiguration: { type: { fields: { status: REQUIRED } }, required: true } },
    put: (inputs) => [
      'put_bucket_versioning',
      { VersioningConfiguration: { Status: at(inputs, 'versioningConfiguration', 'status') } },
    ],
  },
  'aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration': {
    fields: { rules: { type: { listOf: 'any' }, required: true } },
    put: (inputs) => [
      'put_bucket_encryption',
      {
        ServerSideEncryptionConfiguration: {
          Rules: (inputs['rules'] as JsonMap[]).map((rule) => ({
            ApplyServerSideEncryptionByDefault: {
              SSEAlgorithm: at(rule, 'applyServerSideEncryptionByDefault', 'sseAlgorithm'),
              KMSMasterKeyID: at(rule, 'applyServerSideEncryptionByDefault', 'kmsMasterKeyId'),
            },
            BucketKeyEnabled: rule['bucketKeyEnabled'],
          })),
        },
      },
    ],
    remove: 'delete_bucket_encryption',
  },
  'aws:s3/bucketOwnershipControls:BucketOwnershipControls': {
    fields: { rule: { type: { fields: { objectOwnership: REQUIRED } }, required: true } },
    put: (inputs) => [
      'put_bucket_ownership_controls',
      { OwnershipControls: { Rules: [{ ObjectOwnership: at(inputs, 'rule', 'objectOwnership') }] } },
    ],
    remove: 'delete_bucket_ownership_controls',
  },
  'aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock': {
    fields: CLOSED,
    put: (inputs) => [
      'put_public_access_block',
      {
        PublicAccessBlockConfiguration: Object.fromEntries(
          Object.keys(CLOSED).map((name) => [upperFirst(name), inputs[name] ?? false]),
        ),
      },
    ],
    remove: 'delete_public_access_block',
  },
  'aws:s3/bucketPolicy:BucketPolicy': {
    fields: { policy: REQUIRED },
    put: (inputs) => ['put_bucket_policy', { Policy: inputs['policy'] }],
    remove: 'delete_bucket_policy',
  },
  'aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration': {
    fields: { rules: { type: { listOf: 'any' }, required: true } },
    put: (inputs) => [
      'put_bucket_lifecycle_configuration',
      { LifecycleConfiguration: { Rules: (inputs['rules'] as JsonMap[]).map(lifecycleRule) } },
    ],
    remove: 'delete_bucket_lifecycle',
  },
  'aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration': {
    fields: { rule: { type: 'any', required: true } },
    put: (inputs) => [
      'put_object_lock_configuration',
      {
        ObjectLockConfiguration: {
          ObjectLockEnabled: 'Enabled',
          Rule: {
            DefaultRetention: {
              Mode: at(inputs, 'rule', 'defaultRetention', 'mode'),
              Days: at(inputs, 'rule', 'defaultRetention', 'days'),
            },
          },
        },
      },
    ],
  },
};

function lifecycleRule(rule: JsonMap): JsonMap {
  const days = at(rule, 'noncurrentVersionExpiration', 'noncurrentDays');
  const abort = at(rule, 'abortIncompleteMultipartUpload', 'daysAfterInitiation');
  const expire = at(rule, 'expiration', 'days');
  return {
    ID: rule['id'],
    Status: rule['status'],
    Filter: { Prefix: at(rule, 'filter', 'prefix') ?? '' },
    ...(days === null ? {} : { NoncurrentVersionExpiration: { NoncurrentDays: days } }),
    ...(abort === null ? {} : { AbortIncompleteMultipartUpload: { DaysAfterInitiation: abort } }),
    ...(expire === null ? {} : { Expiration: { Days: expire } }),
    ...(rule['transitions'] === undefined
      ? {}
      : {
          Transitions: (rule['transitions'] as JsonMap[]).map(({ days: after, storageClass }) => ({
            Days: after,
            StorageClass: storageClass,
          })),
        }),
  };
}

const object: AwsType = {
  fields: {
    bucket: REQUIRED,
    key: REQUIRED,
    source: { type: 'assetOrArchive' },
    content: STRING,
    contentType: STRING,
  },
  replaceOn: ['bucket', 'key'],
  outputs: ['etag', 'versionId', 'arn'],
  async create(inputs, context) {
    const put = await putObject(inputs, context);
    const name = `${text(inputs['bucket'])}/${text(inputs['key'])}`;
    return { id: name, arn: `arn:aws:s3:::${name}`, ...put };
  },
  update: (inputs, _state, context) => putObject(inputs, context),
  async read(_id, state, { ask }) {
    const { ETag } = await ask('s3', 'head_object', { Bucket: state['bucket'], Key: state['key'] });
    return { etag: ETag };
  },
  // All versions, as the vendor's does where the bucket keeps them.
  delete: (state, context) => deleteVersions(context, text(state['bucket']), text(state['key'])),
};

async function putObject(inputs: JsonMap, { ask }: Context): Promise<JsonMap> {
  const put = await ask('s3', 'put_object', {
    Bucket: inputs['bucket'],
    Key: inputs['key'],
    Body: { $base64: (await bodyOf(inputs)).toString('base64') },
    ContentType: inputs['contentType'],
  });
  return { etag: put['ETag'], versionId: put['VersionId'] };
}

async function bodyOf(inputs: JsonMap): Promise<Buffer> {
  const source: Json = at(inputs, 'source');
  if (source === null) return Buffer.from(text(inputs['content']));
  const inline = at(source, 'text');
  return typeof inline === 'string' ? Buffer.from(inline) : readFile(text(at(source, 'path')));
}

export const storageTypes: Readonly<Record<string, AwsType>> = {
  'aws:s3/bucket:Bucket': bucket,
  'aws:s3/bucketObjectv2:BucketObjectv2': object,
  ...Object.fromEntries(Object.entries(settings).map(([token, setting]) => [token, bucketSetting(setting)])),
};

/** Who may do what: IAM and KMS. */
import type { Json, JsonMap } from './bridge';
import { type AwsType, at, FLAG, given, NUMBER, REQUIRED, STRING, text, uniqueName } from './resource';

const idOf = (state: JsonMap): Json | undefined => state['id'];
const role: AwsType = {
  fields: { name: STRING, description: STRING, assumeRolePolicy: REQUIRED },
  replaceOn: ['name'],
  outputs: ['arn', 'name'],
  async create(inputs, { ask, name }) {
    const RoleName = uniqueName(inputs['name'], name);
    const made = await ask(
      'iam',
      'create_role',
      given({
        RoleName,
        Description: inputs['description'],
        AssumeRolePolicyDocument: inputs['assumeRolePolicy'],
      }),
    );
    return { id: RoleName, name: RoleName, arn: at(made, 'Role', 'Arn') };
  },
  async update(inputs, state, { ask }) {
    await ask('iam', 'update_assume_role_policy', {
      RoleName: idOf(state),
      PolicyDocument: inputs['assumeRolePolicy'],
    });
    return {};
  },
  delete: (state, { ask }) => ask('iam', 'delete_role', { RoleName: idOf(state) }),
};

/** A policy in the role or the user itself. */
const inlinePolicy = (of: 'role' | 'user'): AwsType => {
  const Owner = of === 'role' ? 'RoleName' : 'UserName';
  const parts = (state: JsonMap): JsonMap => {
    const [owner = '', ...rest] = text(state['id']).split(':');
    return { [Owner]: owner, PolicyName: rest.join(':') };
  };
  return {
    fields: { [of]: REQUIRED, name: STRING, policy: REQUIRED },
    replaceOn: [of, 'name'],
    outputs: ['name'],
    async create(inputs, { ask, name }) {
      const PolicyName = uniqueName(inputs['name'], name);
      await ask('iam', `put_${of}_policy`, {
        [Owner]: inputs[of],
        PolicyName,
        PolicyDocument: inputs['policy'],
      });
      return { id: `${text(inputs[of])}:${PolicyName}`, name: PolicyName };
    },
    async update(inputs, state, { ask }) {
      await ask('iam', `put_${of}_policy`, { ...parts(state), PolicyDocument: inputs['policy'] });
      return {};
    },
    delete: (state, { ask }) => ask('iam', `delete_${of}_policy`, parts(state)),
  };
};

const rolePolicyAttachment: AwsType = {
  fields: { role: REQUIRED, policyArn: REQUIRED },
  replaceOn: 'all',
  outputs: [],
  async create(inputs, { ask }) {
    await ask('iam', 'attach_role_policy', {
      RoleName: inputs['role'],
      PolicyArn: inputs['policyArn'],
    });
    return { id: `${text(inputs['role'])}-${text(inputs['policyArn'])}` };
  },
  delete: (state, { ask }) =>
    ask('iam', 'detach_role_policy', { RoleName: state['role'], PolicyArn: state['policyArn'] }),
};

const instanceProfile: AwsType = {
  fields: { name: STRING, role: REQUIRED },
  replaceOn: 'all',
  outputs: ['arn', 'name'],
  async create(inputs, { ask, name }) {
    const InstanceProfileName = uniqueName(inputs['name'], name);
    const made = await ask('iam', 'create_instance_profile', { InstanceProfileName });
    await ask('iam', 'add_role_to_instance_profile', { InstanceProfileName, RoleName: inputs['role'] });
    return { id: InstanceProfileName, name: InstanceProfileName, arn: at(made, 'InstanceProfile', 'Arn') };
  },
  async delete(state, { ask }) {
    const InstanceProfileName = idOf(state);
    await ask('iam', 'remove_role_from_instance_profile', { InstanceProfileName, RoleName: state['role'] });
    return ask('iam', 'delete_instance_profile', { InstanceProfileName });
  },
};

const user: AwsType = {
  fields: { name: REQUIRED },
  replaceOn: 'all',
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask('iam', 'create_user', { UserName: inputs['name'] });
    return { id: text(inputs['name']), arn: at(made, 'User', 'Arn') };
  },
  delete: (state, { ask }) => ask('iam', 'delete_user', { UserName: idOf(state) }),
};

const accessKey: AwsType = {
  fields: { user: REQUIRED },
  replaceOn: 'all',
  outputs: ['secret', 'status'],
  secretOutputs: ['secret'],
  async create(inputs, { ask }) {
    const made = await ask('iam', 'create_access_key', { UserName: inputs['user'] });
    return {
      id: text(at(made, 'AccessKey', 'AccessKeyId')),
      secret: at(made, 'AccessKey', 'SecretAccessKey'),
      status: 'Active',
    };
  },
  delete: (state, { ask }) =>
    ask('iam', 'delete_access_key', { UserName: state['user'], AccessKeyId: idOf(state) }),
};

const DELETION = { deletionWindowInDays: NUMBER } as const;
const scheduleDeletion: AwsType['delete'] = (state, { ask }) =>
  ask(
    'kms',
    'schedule_key_deletion',
    given({ KeyId: idOf(state), PendingWindowInDays: state['deletionWindowInDays'] }),
  );

const key: AwsType = {
  fields: { description: STRING, multiRegion: FLAG, enableKeyRotation: FLAG, policy: STRING, ...DELETION },
  replaceOn: ['multiRegion'],
  outputs: ['arn', 'keyId'],
  async create(inputs, { ask }) {
    const made = await ask(
      'kms',
      'create_key',
      given({
        Description: inputs['description'],
        MultiRegion: inputs['multiRegion'],
        Policy: inputs['policy'],
      }),
    );
    const id = text(at(made, 'KeyMetadata', 'KeyId'));
    if (inputs['enableKeyRotation'] === true) await ask('kms', 'enable_key_rotation', { KeyId: id });
    return { id, keyId: id, arn: at(made, 'KeyMetadata', 'Arn') };
  },
  async update(inputs, state, { ask }) {
    const KeyId = idOf(state);
    await ask('kms', inputs['enableKeyRotation'] === true ? 'enable_key_rotation' : 'disable_key_rotation', {
      KeyId,
    });
    if (inputs['description'] !== undefined)
      await ask('kms', 'update_key_description', { KeyId, Description: inputs['description'] });
    if (inputs['policy'] !== undefined)
      await ask('kms', 'put_key_policy', { KeyId, PolicyName: 'default', Policy: inputs['policy'] });
    return {};
  },
  delete: scheduleDeletion,
};

const replicaKey: AwsType = {
  fields: { description: STRING, primaryKeyArn: REQUIRED, ...DELETION },
  replaceOn: 'all',
  outputs: ['arn', 'keyId'],
  async create(inputs, { ask, region }) {
    const primary = text(inputs['primaryKeyArn']);
    const made = await ask(
      'kms',
      'replicate_key',
      given({
        KeyId: primary.split('/').at(-1) ?? primary,
        ReplicaRegion: region,
        Description: inputs['description'],
      }),
      primary.split(':')[3],
    );
    const id = text(at(made, 'ReplicaKeyMetadata', 'KeyId'));
    return { id, keyId: id, arn: at(made, 'ReplicaKeyMetadata', 'Arn') };
  },
  delete: scheduleDeletion,
};

export const identityTypes: Readonly<Record<string, AwsType>> = {
  'aws:iam/role:Role': role,
  'aws:iam/rolePolicy:RolePolicy': inlinePolicy('role'),
  'aws:iam/rolePolicyAttachment:RolePolicyAttachment': rolePolicyAttachment,
  'aws:iam/instanceProfile:InstanceProfile': instanceProfile,
  'aws:iam/user:User': user,
  'aws:iam/userPolicy:UserPolicy': inlinePolicy('user'),
  'aws:iam/accessKey:AccessKey': accessKey,
  'aws:kms/key:Key': key,
  'aws:kms/replicaKey:ReplicaKey': replicaKey,
};

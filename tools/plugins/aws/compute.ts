/** Instances, their disks and their addresses. */
import type { JsonMap } from './bridge';
import {
  type AwsType,
  at,
  type Context,
  FLAG,
  given,
  NUMBER,
  REQUIRED,
  STRING,
  TAGS,
  tagList,
  text,
} from './resource';

const METADATA = {
  fields: { httpEndpoint: STRING, httpTokens: STRING, httpPutResponseHopLimit: NUMBER },
} as const;
const ROOT = {
  fields: {
    volumeType: STRING,
    volumeSize: NUMBER,
    encrypted: FLAG,
    kmsKeyId: STRING,
    deleteOnTermination: FLAG,
  },
} as const;
const RESERVATION = {
  fields: {
    capacityReservationTarget: { type: { fields: { capacityReservationId: STRING } } },
  },
} as const;

const instance: AwsType = {
  fields: {
    ami: REQUIRED,
    instanceType: REQUIRED,
    subnetId: REQUIRED,
    vpcSecurityGroupIds: { type: { listOf: 'string' }, required: true },
    iamInstanceProfile: STRING,
    userData: STRING,
    disableApiTermination: FLAG,
    ebsOptimized: FLAG,
    monitoring: FLAG,
    metadataOptions: { type: METADATA },
    rootBlockDevice: { type: ROOT },
    capacityReservationSpecification: { type: RESERVATION },
    tags: TAGS,
  },
  replaceOn: ['ami', 'subnetId', 'userData', 'rootBlockDevice'],
  outputs: ['arn', 'privateIp', 'publicIp', 'instanceState'],
  async create(inputs, context) {
    const made = await context.ask('ec2', 'run_instances', runParameters(inputs));
    const id = text(at(made, 'Instances', 0, 'InstanceId'));
    await setProtection(id, inputs, context);
    return {
      id,
      arn: `arn:aws:ec2:${context.region}:123456789012:instance/${id}`,
      privateIp: at(made, 'Instances', 0, 'PrivateIpAddress'),
      publicIp: at(made, 'Instances', 0, 'PublicIpAddress'),
      instanceState: 'running',
    };
  },
  async update(inputs, state, context) {
    const InstanceId = text(state['id']);
    await setProtection(InstanceId, inputs, context);
    if (inputs['instanceType'] !== state['instanceType']) {
      await context.ask('ec2', 'stop_instances', { InstanceIds: [InstanceId] });
      await context.ask('ec2', 'modify_instance_attribute', {
        InstanceId,
        InstanceType: { Value: inputs['instanceType'] },
      });
      await context.ask('ec2', 'start_instances', { InstanceIds: [InstanceId] });
    }
    if (inputs['tags'] !== undefined)
      await context.ask('ec2', 'create_tags', { Resources: [InstanceId], Tags: tagList(inputs['tags']) });
    return {};
  },
  // As AWS: refused while it is protected against termination.
  delete: (state, { ask }) => ask('ec2', 'terminate_instances', { InstanceIds: [state['id']] }),
};

function runParameters(inputs: JsonMap): JsonMap {
  const root = at(inputs, 'rootBlockDevice') as JsonMap | null;
  const metadata = at(inputs, 'metadataOptions') as JsonMap | null;
  const reservation = at(
    inputs,
    'capacityReservationSpecification',
    'capacityReservationTarget',
    'capacityReservationId',
  );
  return given({
    ImageId: inputs['ami'],
    InstanceType: inputs['instanceType'],
    MinCount: 1,
    MaxCount: 1,
    SubnetId: inputs['subnetId'],
    SecurityGroupIds: inputs['vpcSecurityGroupIds'],
    IamInstanceProfile:
      inputs['iamInstanceProfile'] === undefined ? undefined : { Name: inputs['iamInstanceProfile'] },
    UserData: inputs['userData'],
    EbsOptimized: inputs['ebsOptimized'],
    Monitoring: inputs['monitoring'] === undefined ? undefined : { Enabled: inputs['monitoring'] },
    MetadataOptions:
      metadata === null
        ? undefined
        : given({
            HttpEndpoint: metadata['httpEndpoint'],
            HttpTokens: metadata['httpTokens'],
            HttpPutResponseHopLimit: metadata['httpPutResponseHopLimit'],
          }),
    BlockDeviceMappings:
      root === null
        ? undefined
        : [
            {
              DeviceName: '/dev/sda1',
              Ebs: given({
                VolumeType: root['volumeType'],
                VolumeSize: root['volumeSize'],
                Encrypted: root['encrypted'],
                KmsKeyId: root['kmsKeyId'],
                DeleteOnTermination: root['deleteOnTermination'],
              }),
            },
          ],
    CapacityReservationSpecification:
      reservation === null
        ? undefined
        : { CapacityReservationTarget: { CapacityReservationId: reservation } },
    TagSpecifications:
      inputs['tags'] === undefined
        ? undefined
        : [{ ResourceType: 'instance', Tags: tagList(inputs['tags']) }],
  });
}

async function setProtection(InstanceId: string, inputs: JsonMap, { ask }: Context): Promise<void> {
  if (typeof inputs['disableApiTermination'] === 'boolean')
    await ask('ec2', 'modify_instance_attribute', {
      InstanceId,
      DisableApiTermination: { Value: inputs['disableApiTermination'] },
    });
}

const volume: AwsType = {
  fields: {
    availabilityZone: REQUIRED,
    size: NUMBER,
    type: STRING,
    iops: NUMBER,
    throughput: NUMBER,
    encrypted: FLAG,
    kmsKeyId: STRING,
    tags: TAGS,
  },
  replaceOn: ['availabilityZone', 'encrypted', 'kmsKeyId'],
  outputs: ['arn'],
  async create(inputs, { ask, region }) {
    const made = await ask(
      'ec2',
      'create_volume',
      given({
        AvailabilityZone: inputs['availabilityZone'],
        Size: inputs['size'],
        VolumeType: inputs['type'],
        Iops: inputs['iops'],
        Throughput: inputs['throughput'],
        Encrypted: inputs['encrypted'],
        KmsKeyId: inputs['kmsKeyId'],
        TagSpecifications:
          inputs['tags'] === undefined
            ? undefined
            : [{ ResourceType: 'volume', Tags: tagList(inputs['tags']) }],
      }),
    );
    const id = text(made['VolumeId']);
    return { id, arn: `arn:aws:ec2:${region}:123456789012:volume/${id}` };
  },
  async update(inputs, state, { ask }) {
    await ask(
      'ec2',
      'modify_volume',
      given({ VolumeId: state['id'], Size: inputs['size'], VolumeType: inputs['type'] }),
    );
    return {};
  },
  delete: (state, { ask }) => ask('ec2', 'delete_volume', { VolumeId: state['id'] }),
};

const volumeAttachment: AwsType = {
  fields: {
    instanceId: REQUIRED,
    volumeId: REQUIRED,
    deviceName: REQUIRED,
    stopInstanceBeforeDetaching: FLAG,
  },
  replaceOn: ['instanceId', 'volumeId', 'deviceName'],
  outputs: [],
  async create(inputs, { ask }) {
    await ask('ec2', 'attach_volume', {
      InstanceId: inputs['instanceId'],
      VolumeId: inputs['volumeId'],
      Device: inputs['deviceName'],
    });
    return { id: `vai-${text(inputs['volumeId'])}-${text(inputs['instanceId'])}` };
  },
  update: async () => ({}),
  async delete(state, { ask }) {
    if (state['stopInstanceBeforeDetaching'] === true)
      await ask('ec2', 'stop_instances', { InstanceIds: [state['instanceId']] });
    return ask('ec2', 'detach_volume', {
      InstanceId: state['instanceId'],
      VolumeId: state['volumeId'],
    });
  },
};

const eipAssociation: AwsType = {
  fields: { allocationId: REQUIRED, instanceId: REQUIRED },
  replaceOn: 'all',
  outputs: ['publicIp'],
  async create(inputs, { ask }) {
    const made = await ask('ec2', 'associate_address', {
      AllocationId: inputs['allocationId'],
      InstanceId: inputs['instanceId'],
    });
    return { id: text(made['AssociationId']), publicIp: made['PublicIp'] ?? '' };
  },
  delete: (state, { ask }) => ask('ec2', 'disassociate_address', { AssociationId: state['id'] }),
};

const capacityReservation: AwsType = {
  fields: {
    availabilityZone: REQUIRED,
    instanceType: REQUIRED,
    instancePlatform: REQUIRED,
    instanceCount: { type: 'number', required: true },
    instanceMatchCriteria: STRING,
    endDateType: STRING,
  },
  replaceOn: ['availabilityZone', 'instanceType', 'instancePlatform'],
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask(
      'ec2',
      'create_capacity_reservation',
      given({
        AvailabilityZone: inputs['availabilityZone'],
        InstanceType: inputs['instanceType'],
        InstancePlatform: inputs['instancePlatform'],
        InstanceCount: inputs['instanceCount'],
        InstanceMatchCriteria: inputs['instanceMatchCriteria'],
        EndDateType: inputs['endDateType'],
      }),
    );
    return {
      id: text(at(made, 'CapacityReservation', 'CapacityReservationId')),
      arn: at(made, 'CapacityReservation', 'CapacityReservationArn'),
    };
  },
  delete: (state, { ask }) =>
    ask('ec2', 'cancel_capacity_reservation', { CapacityReservationId: state['id'] }),
};

export const computeTypes: Readonly<Record<string, AwsType>> = {
  'aws:ec2/instance:Instance': instance,
  'aws:ebs/volume:Volume': volume,
  'aws:ec2/volumeAttachment:VolumeAttachment': volumeAttachment,
  'aws:ec2/eipAssociation:EipAssociation': eipAssociation,
  'aws:ec2/capacityReservation:CapacityReservation': capacityReservation,
};

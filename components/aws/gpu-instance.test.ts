import { named, record } from '../testing/recording';
import { GpuInstance, type GpuInstanceArgs } from './gpu-instance';

const ARGS: GpuInstanceArgs = {
  server: 'uk-1',
  region: 'eu-west-2',
  zone: 'eu-west-2a',
  subnetId: 'subnet-1',
  securityGroupId: 'sg-1',
  instanceProfileName: 'profile',
  instanceType: 'g6.xlarge',
  ami: 'ami-0123456789abcdef0',
  userData: '#!/bin/sh\n',
  kmsKeyArn: 'arn:key',
  rootVolumeGib: 100,
  dataVolumeGib: 200,
  address: '203.0.113.10',
  protectFromTermination: true,
  reserveCapacity: false,
};
const declare = (more: Partial<GpuInstanceArgs> = {}) =>
  record(() => new GpuInstance('uk-1', { ...ARGS, ...more }), {
    functions: {
      'aws:ec2/getElasticIp:getElasticIp': ({ region, publicIp }) => ({
        id: `eipalloc-of-${String(publicIp)}-in-${String(region)}`,
      }),
    },
  });

describe('GpuInstance', () => {
  it('has IMDSv2 only, no SSH key, encrypted disks and protection against termination', async () => {
    const { resources } = await declare();
    expect(named(resources, 'uk-1').type).toBe('failover:aws:GpuInstance');
    const instance = named(resources, 'uk-1', 'aws:ec2/instance:Instance');
    expect(instance.inputs).toEqual({
      region: 'eu-west-2',
      ami: 'ami-0123456789abcdef0',
      instanceType: 'g6.xlarge',
      subnetId: 'subnet-1',
      vpcSecurityGroupIds: ['sg-1'],
      iamInstanceProfile: 'profile',
      userData: '#!/bin/sh\n',
      disableApiTermination: true,
      ebsOptimized: true,
      monitoring: true,
      metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
      rootBlockDevice: {
        volumeType: 'gp3',
        volumeSize: 100,
        encrypted: true,
        kmsKeyId: 'arn:key',
        deleteOnTermination: true,
      },
      tags: { Name: 'uk-1', 'failover:server': 'uk-1' },
    });
  });

  it('keeps vectors on a volume of their own', async () => {
    const { resources } = await declare();
    expect(named(resources, 'uk-1-data').inputs).toEqual({
      region: 'eu-west-2',
      availabilityZone: 'eu-west-2a',
      size: 200,
      type: 'gp3',
      iops: 3000,
      throughput: 125,
      encrypted: true,
      kmsKeyId: 'arn:key',
      tags: { Name: 'uk-1', 'failover:server': 'uk-1', 'failover:data': 'true' },
    });
    expect(named(resources, 'uk-1-data-attachment').inputs).toEqual({
      region: 'eu-west-2',
      instanceId: 'uk-1-id',
      volumeId: 'uk-1-data-id',
      deviceName: '/dev/sdf',
      stopInstanceBeforeDetaching: true,
    });
  });

  it('trap 35: is not replaced because an image or user data became another', async () => {
    const { resources } = await declare();
    const instance = named(resources, 'uk-1', 'aws:ec2/instance:Instance');
    expect(instance.ignoreChanges).toEqual(['ami', 'userData']);
  });

  it('has the address that DNS names', async () => {
    const { resources } = await declare();
    expect(named(resources, 'uk-1-address').inputs).toEqual({
      region: 'eu-west-2',
      allocationId: 'eipalloc-of-203.0.113.10-in-eu-west-2',
      instanceId: 'uk-1-id',
    });
  });

  it('reserves its capacity when told to', async () => {
    const { resources } = await declare({ reserveCapacity: true });
    expect(named(resources, 'uk-1-capacity').inputs).toEqual({
      region: 'eu-west-2',
      availabilityZone: 'eu-west-2a',
      instanceType: 'g6.xlarge',
      instancePlatform: 'Linux/UNIX',
      instanceCount: 1,
      instanceMatchCriteria: 'targeted',
      endDateType: 'unlimited',
    });
    const instance = named(resources, 'uk-1', 'aws:ec2/instance:Instance');
    expect(instance.inputs['capacityReservationSpecification']).toEqual({
      capacityReservationTarget: { capacityReservationId: 'uk-1-capacity-id' },
    });
  });
});

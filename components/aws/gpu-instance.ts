import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';

export interface GpuInstanceArgs {
  /** Name of the server within its site, such as `uk-1`. */
  readonly server: string;
  readonly region: string;
  readonly zone: string;
  readonly subnetId: pulumi.Input<string>;
  readonly securityGroupId: pulumi.Input<string>;
  readonly instanceProfileName: pulumi.Input<string>;
  /** Such as `g6.xlarge`; the offering is checked at preview. */
  readonly instanceType: string;
  /** A pinned image with NVIDIA's driver and container toolkit (an AWS Deep Learning base image). */
  readonly ami: string;
  /** Written once and never changed: a deployment reaches the server through its bucket. */
  readonly userData: pulumi.Input<string>;
  /** KMS key in the region that encrypts both volumes. */
  readonly kmsKeyArn: pulumi.Input<string>;
  readonly rootVolumeGib: number;
  /** Holds the vectors and the model; outlives the instance. */
  readonly dataVolumeGib: number;
  /** Refuse to terminate it, by anyone, until this is set to false and applied. */
  readonly protectFromTermination: boolean;
  /** Elastic address of the account in that region, allocated beforehand: peer, witness and DNS name it. */
  readonly address: string;
  /** Pay for the capacity all the time, so that a stopped or lost instance can be started again for sure. */
  readonly reserveCapacity: boolean;
}

/** Largest that gp3 gives without extra charge. */
const GP3_IOPS = 3000;
const GP3_MIBPS = 125;

/**
 * A GPU instance without SSH, its data volume and its elastic address. Capacity is not guaranteed unless it is reserved: in a
 * region that takes over from another, GPUs are what everybody wants at once.
 */
export class GpuInstance extends pulumi.ComponentResource {
  readonly instanceId: pulumi.Output<string>;
  readonly dataVolumeId: pulumi.Output<string>;

  constructor(name: string, args: GpuInstanceArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:GpuInstance', name, {}, opts);
    const { region, zone } = args;
    const child = { parent: this };
    const tags = { Name: name, 'failover:server': args.server };
    const reservation = args.reserveCapacity ? this.reserve(name, args) : undefined;
    const volume = new aws.ebs.Volume(
      `${name}-data`,
      {
        region,
        availabilityZone: zone,
        size: args.dataVolumeGib,
        type: 'gp3',
        iops: GP3_IOPS,
        throughput: GP3_MIBPS,
        encrypted: true,
        kmsKeyId: args.kmsKeyArn,
        tags: { ...tags, 'failover:data': 'true' },
      },
      child,
    );
    const instance = new aws.ec2.Instance(
      name,
      {
        region,
        ami: args.ami,
        instanceType: args.instanceType,
        subnetId: args.subnetId,
        vpcSecurityGroupIds: [args.securityGroupId],
        iamInstanceProfile: args.instanceProfileName,
        userData: args.userData,
        disableApiTermination: args.protectFromTermination,
        ebsOptimized: true,
        monitoring: true,
        metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
        rootBlockDevice: {
          volumeType: 'gp3',
          volumeSize: args.rootVolumeGib,
          encrypted: true,
          kmsKeyId: args.kmsKeyArn,
          deleteOnTermination: true,
        },
        ...(reservation === undefined
          ? {}
          : {
              capacityReservationSpecification: {
                capacityReservationTarget: { capacityReservationId: reservation.id },
              },
            }),
        tags,
      },
      // A newer image or other user data must not replace a GPU server in passing: that is a person's decision,
      // `pulumi up --target-replace URN`.
      { ...child, ignoreChanges: ['ami', 'userData'] },
    );
    new aws.ec2.VolumeAttachment(
      `${name}-data-attachment`,
      {
        region,
        instanceId: instance.id,
        volumeId: volume.id,
        deviceName: '/dev/sdf',
        stopInstanceBeforeDetaching: true,
      },
      { ...child, deleteBeforeReplace: true },
    );
    const { id } = aws.ec2.getElasticIpOutput({ region, publicIp: args.address }, child);
    new aws.ec2.EipAssociation(
      `${name}-address`,
      { region, allocationId: id, instanceId: instance.id },
      { ...child, deleteBeforeReplace: true },
    );
    this.instanceId = instance.id;
    this.dataVolumeId = volume.id;
    this.registerOutputs({ instanceId: this.instanceId, dataVolumeId: this.dataVolumeId });
  }

  private reserve(
    name: string,
    { region, zone, instanceType }: GpuInstanceArgs,
  ): aws.ec2.CapacityReservation {
    return new aws.ec2.CapacityReservation(
      `${name}-capacity`,
      {
        region,
        availabilityZone: zone,
        instanceType,
        instancePlatform: 'Linux/UNIX',
        instanceCount: 1,
        instanceMatchCriteria: 'targeted',
        endDateType: 'unlimited',
      },
      { parent: this },
    );
  }
}

import * as aws from '@pulumi/aws';
import * as pulumi from '@pulumi/pulumi';
import { CLUSTER_PORT } from '../../infra/specs/names';

export interface SiteNetworkArgs {
  readonly region: string;
  /** IPv4 range of the VPC, a /16: each zone gets a /20 of it. */
  readonly cidr: string;
  /** Two availability zones of the region. */
  readonly zones: readonly [string, string];
  /** Networks that may reach 443. */
  readonly clientCidrs: readonly string[];
  /** The site's own servers where it has several: their Qdrant nodes reach one another. Nothing else is open. */
  readonly siblingCidrs?: readonly string[];
}

/** A VPC over two zones with public subnets, and the one security group of its servers: 443 in, all out. */
export class SiteNetwork extends pulumi.ComponentResource {
  readonly vpcId: pulumi.Output<string>;
  /** One of each zone, in the order of `zones`. */
  readonly subnetIds: readonly pulumi.Output<string>[];
  readonly securityGroupId: pulumi.Output<string>;

  constructor(name: string, args: SiteNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super('failover:aws:SiteNetwork', name, {}, opts);
    const { region } = args;
    const child = { parent: this };
    const tags = { Name: name };
    const vpc = new aws.ec2.Vpc(
      name,
      { region, cidrBlock: args.cidr, enableDnsHostnames: true, enableDnsSupport: true, tags },
      child,
    );
    this.vpcId = vpc.id;
    const gateway = new aws.ec2.InternetGateway(`${name}-gateway`, { region, vpcId: vpc.id, tags }, child);
    const routes = new aws.ec2.RouteTable(`${name}-routes`, { region, vpcId: vpc.id, tags }, child);
    new aws.ec2.Route(
      `${name}-default-route`,
      { region, routeTableId: routes.id, destinationCidrBlock: '0.0.0.0/0', gatewayId: gateway.id },
      child,
    );
    this.subnetIds = args.zones.map((zone, index) => {
      const subnet = new aws.ec2.Subnet(
        `${name}-${zone}`,
        {
          region,
          vpcId: vpc.id,
          availabilityZone: zone,
          cidrBlock: subnetOf(args.cidr, index),
          tags: { Name: `${name}-${zone}` },
        },
        child,
      );
      new aws.ec2.RouteTableAssociation(
        `${name}-${zone}-routes`,
        { region, subnetId: subnet.id, routeTableId: routes.id },
        child,
      );
      return subnet.id;
    });
    this.securityGroupId = this.securityGroup(name, args);
    this.registerOutputs({ vpcId: this.vpcId, securityGroupId: this.securityGroupId });
  }

  private securityGroup(
    name: string,
    { region, clientCidrs, siblingCidrs }: SiteNetworkArgs,
  ): pulumi.Output<string> {
    const child = { parent: this };
    const group = new aws.ec2.SecurityGroup(
      `${name}-servers`,
      { region, vpcId: this.vpcId, description: 'Servers of the site: HTTPS in, anything out' },
      child,
    );
    const letIn = (what: string, description: string, port: number, cidrs: readonly string[]): void => {
      for (const cidr of cidrs) {
        new aws.vpc.SecurityGroupIngressRule(
          `${name}-${what}-${cidr.replace(/[^0-9a-f]+/gi, '-')}`,
          {
            region,
            securityGroupId: group.id,
            description,
            ipProtocol: 'tcp',
            fromPort: port,
            toPort: port,
            ...(cidr.includes(':') ? { cidrIpv6: cidr } : { cidrIpv4: cidr }),
          },
          child,
        );
      }
    };
    letIn('https', 'HTTPS to the edge', 443, clientCidrs);
    letIn('cluster', 'Between the nodes of Qdrant', CLUSTER_PORT, siblingCidrs ?? []);
    new aws.vpc.SecurityGroupEgressRule(
      `${name}-out`,
      {
        region,
        securityGroupId: group.id,
        description: 'To the peer, the witness, the stores and package sources',
        ipProtocol: '-1',
        cidrIpv4: '0.0.0.0/0',
      },
      child,
    );
    return group.id;
  }
}

/** The `index`-th /20 of a /16. */
export function subnetOf(cidr: string, index: number): string {
  const match = /^(\d+)\.(\d+)\.0\.0\/16$/.exec(cidr);
  if (match?.[1] === undefined || match[2] === undefined || index < 0 || index > 15)
    throw new RangeError(
      `expected a /16 such as 10.20.0.0/16 and an index from 0 to 15, got ${cidr} and ${index}`,
    );
  return `${match[1]}.${match[2]}.${index * 16}.0/20`;
}

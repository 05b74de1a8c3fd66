/** VPC and what is in it. */
import type { Field } from '../protocol/schema';
import {
  type AwsType,
  at,
  type Context,
  FLAG,
  given,
  REQUIRED,
  STRING,
  TAGS,
  tagList,
  text,
  uniqueName,
} from './resource';
import type { Json, JsonMap } from './bridge';

const tagged = (kind: string, tags: Json | undefined): JsonMap =>
  tags === undefined || tags === null
    ? {}
    : { TagSpecifications: [{ ResourceType: kind, Tags: tagList(tags) }] };

const setTags = async (id: string, tags: Json | undefined, { ask }: Context): Promise<void> => {
  if (tags !== undefined && tags !== null)
    await ask('ec2', 'create_tags', { Resources: [id], Tags: tagList(tags) });
};

const vpc: AwsType = {
  fields: { cidrBlock: REQUIRED, enableDnsHostnames: FLAG, enableDnsSupport: FLAG, tags: TAGS },
  replaceOn: ['cidrBlock'],
  outputs: ['arn'],
  async create(inputs, context) {
    const made = await context.ask(
      'ec2',
      'create_vpc',
      given({ CidrBlock: inputs['cidrBlock'], ...tagged('vpc', inputs['tags']) }),
    );
    const id = text(at(made, 'Vpc', 'VpcId'));
    await setDns(id, inputs, context);
    return { id, arn: `arn:aws:ec2:${context.region}:123456789012:vpc/${id}` };
  },
  async update(inputs, state, context) {
    await setDns(text(state['id']), inputs, context);
    await setTags(text(state['id']), inputs['tags'], context);
    return {};
  },
  delete: (state, { ask }) => ask('ec2', 'delete_vpc', { VpcId: state['id'] }),
};

async function setDns(VpcId: string, inputs: JsonMap, { ask }: Context): Promise<void> {
  for (const [input, attribute] of [
    ['enableDnsSupport', 'EnableDnsSupport'],
    ['enableDnsHostnames', 'EnableDnsHostnames'],
  ] as const)
    if (typeof inputs[input] === 'boolean')
      await ask('ec2', 'modify_vpc_attribute', { VpcId, [attribute]: { Value: inputs[input] } });
}

const subnet: AwsType = {
  fields: { vpcId: REQUIRED, cidrBlock: REQUIRED, availabilityZone: REQUIRED, tags: TAGS },
  replaceOn: ['vpcId', 'cidrBlock', 'availabilityZone'],
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask('ec2', 'create_subnet', {
      VpcId: inputs['vpcId'],
      CidrBlock: inputs['cidrBlock'],
      AvailabilityZone: inputs['availabilityZone'],
      ...tagged('subnet', inputs['tags']),
    });
    return { id: text(at(made, 'Subnet', 'SubnetId')), arn: at(made, 'Subnet', 'SubnetArn') };
  },
  async update(inputs, state, context) {
    await setTags(text(state['id']), inputs['tags'], context);
    return {};
  },
  delete: (state, { ask }) => ask('ec2', 'delete_subnet', { SubnetId: state['id'] }),
};

const internetGateway: AwsType = {
  fields: { vpcId: REQUIRED, tags: TAGS },
  replaceOn: 'all',
  outputs: [],
  async create(inputs, { ask }) {
    const made = await ask('ec2', 'create_internet_gateway', tagged('internet-gateway', inputs['tags']));
    const id = text(at(made, 'InternetGateway', 'InternetGatewayId'));
    await ask('ec2', 'attach_internet_gateway', { InternetGatewayId: id, VpcId: inputs['vpcId'] });
    return { id };
  },
  async delete(state, { ask }) {
    const InternetGatewayId = state['id'];
    await ask('ec2', 'detach_internet_gateway', { InternetGatewayId, VpcId: state['vpcId'] });
    return ask('ec2', 'delete_internet_gateway', { InternetGatewayId });
  },
};

const routeTable: AwsType = {
  fields: { vpcId: REQUIRED, tags: TAGS },
  replaceOn: 'all',
  outputs: [],
  async create(inputs, { ask }) {
    const made = await ask('ec2', 'create_route_table', {
      VpcId: inputs['vpcId'],
      ...tagged('route-table', inputs['tags']),
    });
    return { id: text(at(made, 'RouteTable', 'RouteTableId')) };
  },
  delete: (state, { ask }) => ask('ec2', 'delete_route_table', { RouteTableId: state['id'] }),
};

const route: AwsType = {
  fields: { routeTableId: REQUIRED, destinationCidrBlock: REQUIRED, gatewayId: REQUIRED },
  replaceOn: 'all',
  outputs: [],
  async create(inputs, { ask }) {
    await ask('ec2', 'create_route', {
      RouteTableId: inputs['routeTableId'],
      DestinationCidrBlock: inputs['destinationCidrBlock'],
      GatewayId: inputs['gatewayId'],
    });
    return { id: `r-${text(inputs['routeTableId'])}-${text(inputs['destinationCidrBlock'])}` };
  },
  delete: (state, { ask }) =>
    ask('ec2', 'delete_route', {
      RouteTableId: state['routeTableId'],
      DestinationCidrBlock: state['destinationCidrBlock'],
    }),
};

const routeTableAssociation: AwsType = {
  fields: { subnetId: REQUIRED, routeTableId: REQUIRED },
  replaceOn: 'all',
  outputs: [],
  async create(inputs, { ask }) {
    const made = await ask('ec2', 'associate_route_table', {
      SubnetId: inputs['subnetId'],
      RouteTableId: inputs['routeTableId'],
    });
    return { id: text(made['AssociationId']) };
  },
  delete: (state, { ask }) => ask('ec2', 'disassociate_route_table', { AssociationId: state['id'] }),
};

const securityGroup: AwsType = {
  fields: { vpcId: REQUIRED, description: REQUIRED, name: STRING, tags: TAGS },
  replaceOn: 'all',
  outputs: ['arn'],
  async create(inputs, { ask, name }) {
    const made = await ask('ec2', 'create_security_group', {
      GroupName: uniqueName(inputs['name'], name),
      Description: inputs['description'],
      VpcId: inputs['vpcId'],
      ...tagged('security-group', inputs['tags']),
    });
    const id = text(made['GroupId']);
    // As the vendor's: nothing goes out either until a rule says so.
    await ask('ec2', 'revoke_security_group_egress', {
      GroupId: id,
      IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
    });
    return { id, arn: made['SecurityGroupArn'] ?? `arn:aws:ec2:::security-group/${id}` };
  },
  delete: (state, { ask }) => ask('ec2', 'delete_security_group', { GroupId: state['id'] }),
};

const RULE: Readonly<Record<string, Field>> = {
  securityGroupId: REQUIRED,
  description: STRING,
  ipProtocol: REQUIRED,
  fromPort: { type: 'number' },
  toPort: { type: 'number' },
  cidrIpv4: STRING,
  cidrIpv6: STRING,
};

const securityGroupRule = (direction: 'ingress' | 'egress'): AwsType => ({
  fields: RULE,
  replaceOn: 'all',
  outputs: ['securityGroupRuleId'],
  async create(inputs, { ask }) {
    const range = given({ Description: inputs['description'] });
    const made = await ask('ec2', `authorize_security_group_${direction}`, {
      GroupId: inputs['securityGroupId'],
      IpPermissions: [
        given({
          IpProtocol: inputs['ipProtocol'],
          FromPort: inputs['fromPort'],
          ToPort: inputs['toPort'],
          IpRanges: inputs['cidrIpv4'] === undefined ? undefined : [{ CidrIp: inputs['cidrIpv4'], ...range }],
          Ipv6Ranges:
            inputs['cidrIpv6'] === undefined ? undefined : [{ CidrIpv6: inputs['cidrIpv6'], ...range }],
        }),
      ],
    });
    const id = text(at(made, 'SecurityGroupRules', 0, 'SecurityGroupRuleId'));
    return { id, securityGroupRuleId: id };
  },
  async read(id, state, { ask }) {
    // Asked by group: the emulator knows no filter by rule.
    const told = await ask('ec2', 'describe_security_group_rules', {
      Filters: [{ Name: 'group-id', Values: [state['securityGroupId']] }],
    });
    const rules = (told['SecurityGroupRules'] ?? []) as JsonMap[];
    return rules.some((rule) => rule['SecurityGroupRuleId'] === id) ? { id } : undefined;
  },
  delete: (state, { ask }) =>
    ask('ec2', `revoke_security_group_${direction}`, {
      GroupId: state['securityGroupId'],
      SecurityGroupRuleIds: [state['id']],
    }),
});

export const networkTypes: Readonly<Record<string, AwsType>> = {
  'aws:ec2/vpc:Vpc': vpc,
  'aws:ec2/subnet:Subnet': subnet,
  'aws:ec2/internetGateway:InternetGateway': internetGateway,
  'aws:ec2/routeTable:RouteTable': routeTable,
  'aws:ec2/route:Route': route,
  'aws:ec2/routeTableAssociation:RouteTableAssociation': routeTableAssociation,
  'aws:ec2/securityGroup:SecurityGroup': securityGroup,
  'aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule': securityGroupRule('ingress'),
  'aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule': securityGroupRule('egress'),
};

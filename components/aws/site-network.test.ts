import { named, record } from '../testing/recording';
import { SiteNetwork, subnetOf } from './site-network';

const declare = () =>
  record(
    () =>
      void new SiteNetwork('net', {
        region: 'eu-west-2',
        cidr: '10.20.0.0/16',
        zones: ['eu-west-2a', 'eu-west-2b'],
        clientCidrs: ['203.0.113.0/24', '2001:db8::/32'],
      }),
  );

describe('SiteNetwork', () => {
  it('spreads two public subnets over two zones', async () => {
    const { resources } = await declare();
    expect(named(resources, 'net-eu-west-2a').inputs).toMatchObject({
      region: 'eu-west-2',
      vpcId: 'net-id',
      availabilityZone: 'eu-west-2a',
      cidrBlock: '10.20.0.0/20',
    });
    expect(named(resources, 'net-eu-west-2b').inputs).toMatchObject({ cidrBlock: '10.20.16.0/20' });
    expect(named(resources, 'net-default-route').inputs).toEqual({
      region: 'eu-west-2',
      routeTableId: 'net-routes-id',
      destinationCidrBlock: '0.0.0.0/0',
      gatewayId: 'net-gateway-id',
    });
    expect(named(resources, 'net-eu-west-2b-routes').inputs).toEqual({
      region: 'eu-west-2',
      subnetId: 'net-eu-west-2b-id',
      routeTableId: 'net-routes-id',
    });
  });

  it('lets 443 in from the networks named, and nothing else', async () => {
    const { resources } = await declare();
    const ingress = resources.filter(({ type }) => type.endsWith(':SecurityGroupIngressRule'));
    const https = {
      region: 'eu-west-2',
      securityGroupId: 'net-servers-id',
      ipProtocol: 'tcp',
      fromPort: 443,
      toPort: 443,
    };
    expect(ingress.map(({ inputs }) => inputs)).toEqual([
      { ...https, description: 'HTTPS to the edge', cidrIpv4: '203.0.113.0/24' },
      { ...https, description: 'HTTPS to the edge', cidrIpv6: '2001:db8::/32' },
    ]);
    expect(named(resources, 'net-servers').inputs).not.toHaveProperty('ingress');
  });
});

describe('subnetOf', () => {
  it('cuts a /16 into sixteen /20', () => {
    expect(subnetOf('10.20.0.0/16', 15)).toBe('10.20.240.0/20');
  });
  it.each([
    ['10.20.0.0/20', 0],
    ['10.20.0.0/16', 16],
  ])('refuses %s, %i', (cidr, index) => {
    expect(() => subnetOf(cidr, index)).toThrow(/expected a \/16/);
  });
});

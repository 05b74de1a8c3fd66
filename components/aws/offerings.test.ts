import { record } from '../testing/recording';
import { checkOfferings, type OfferingCheck, zonesFor } from './offerings';

const OFFERED: Readonly<Record<string, readonly string[]>> = {
  'eu-west-2': ['g5.xlarge', 'g6.xlarge', 'g6e.xlarge', 'g5.12xlarge'],
  'eu-central-1': ['g5.xlarge', 'g6.xlarge', 'g6e.xlarge', 'g5.12xlarge'],
  'eu-west-1': ['g5.xlarge', 'g5.12xlarge'],
};
const valuesOf = (args: Readonly<Record<string, unknown>>): string[] =>
  (args['filters'] as { name: string; values: string[] }[]).flatMap(({ values }) => values);
const functions = {
  'aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings': (args: Readonly<Record<string, unknown>>) =>
    args['locationType'] === 'availability-zone'
      ? { locations: ['eu-west-2c', 'eu-west-2b'], instanceTypes: valuesOf(args) }
      : {
          instanceTypes: (OFFERED[String(args['region'])] ?? []).filter((type) =>
            valuesOf(args).includes(type),
          ),
        },
  'aws:index/getAvailabilityZones:getAvailabilityZones': () => ({
    names: ['eu-west-2a', 'eu-west-2b', 'eu-west-2c'],
  }),
};

const check = (wanted: Partial<OfferingCheck>) =>
  record(
    () =>
      checkOfferings({
        instanceType: 'g6.xlarge',
        modelGib: 0,
        regions: ['eu-west-2', 'eu-central-1'],
        ...wanted,
      }),
    { functions },
  );

describe('the offering check', () => {
  it('passes a type that all regions offer', async () => {
    await expect(check({})).resolves.toBeDefined();
  });

  it('trap 9: refuses g6 where it is not offered, with what is offered everywhere', async () => {
    await expect(check({ regions: ['eu-west-2', 'eu-west-1'] })).rejects.toThrow(
      'AWS does not offer g6.xlarge in eu-west-1. Set failover:awsInstanceType to one that is offered in all regions and holds ' +
        'the model: g5.xlarge, g5.12xlarge.',
    );
  });

  it('suggests only what holds the model', async () => {
    await expect(check({ regions: ['eu-west-2', 'eu-west-1'], modelGib: 30 })).rejects.toThrow(
      /holds the model: g5\.12xlarge\./,
    );
  });

  it('says when nothing would do', async () => {
    await expect(check({ regions: ['eu-west-1', 'ap-nowhere-1'] })).rejects.toThrow(
      /in eu-west-1 and ap-nowhere-1\. No type .* choose other regions/,
    );
  });
});

describe('zones', () => {
  it('are two, those that offer the type first', async () => {
    const { result } = await record(() => zonesFor('eu-west-2', 'g6.xlarge'), { functions });
    expect(result).toEqual(['eu-west-2b', 'eu-west-2c']);
  });
});

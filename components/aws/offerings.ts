import * as aws from '@pulumi/aws';
import { gpuTypesFor } from '../../infra/aws-gpus';
import { FailoverError } from '../../infra/errors';

export interface OfferingCheck {
  readonly instanceType: string;
  /** Size of the weights; 0 when it is not known. */
  readonly modelGib: number;
  /** Regions of all sites: a standby that cannot be built is none. */
  readonly regions: readonly string[];
}

export class InstanceTypeNotOfferedError extends FailoverError {
  constructor(instanceType: string, where: readonly string[], alternatives: readonly string[]) {
    const instead =
      alternatives.length === 0
        ? 'No type that this program knows is offered there and holds the model; choose other regions in failover:sites.'
        : `Set failover:awsInstanceType to one that is offered in all regions and holds the model: ${alternatives.join(', ')}.`;
    super(
      'INSTANCE_TYPE_NOT_OFFERED',
      `AWS does not offer ${instanceType} in ${where.join(' and ')}. ${instead}`,
    );
  }
}

export class ZonesNotFoundError extends FailoverError {
  constructor(region: string, instanceType: string, zones: readonly string[]) {
    super(
      'ZONES_NOT_FOUND',
      `expected two zones of ${region}, one of them with ${instanceType}, and got ${zones.join(', ') || 'none'}. ` +
        'Check that the account may use the region.',
    );
  }
}

async function offered(region: string, instanceTypes: readonly string[]): Promise<Set<string>> {
  const found = await aws.ec2.getInstanceTypeOfferings({
    region,
    locationType: 'region',
    filters: [{ name: 'instance-type', values: [...instanceTypes] }],
  });
  return new Set(found.instanceTypes);
}

/**
 * That both regions offer the type. It says nothing of capacity on the day: only a reservation does.
 * @throws InstanceTypeNotOfferedError, at preview, with the types that would do
 */
export async function checkOfferings({ instanceType, modelGib, regions }: OfferingCheck): Promise<void> {
  const candidates = [instanceType, ...gpuTypesFor(modelGib)];
  const byRegion = await Promise.all(regions.map((region) => offered(region, candidates)));
  const missing = regions.filter((_, index) => byRegion[index]?.has(instanceType) !== true);
  if (missing.length === 0) return;
  const everywhere = candidates.filter((type) => byRegion.every((types) => types.has(type)));
  throw new InstanceTypeNotOfferedError(instanceType, missing, [...new Set(everywhere)]);
}

/** Two zones of the region, those that offer the type first. */
export async function zonesFor(region: string, instanceType: string): Promise<readonly [string, string]> {
  const [available, offering] = await Promise.all([
    aws.getAvailabilityZones({
      region,
      state: 'available',
      filters: [{ name: 'opt-in-status', values: ['opt-in-not-required'] }],
    }),
    aws.ec2.getInstanceTypeOfferings({
      region,
      locationType: 'availability-zone',
      filters: [{ name: 'instance-type', values: [instanceType] }],
    }),
  ]);
  const offers = new Set(offering.locations);
  const zones = [...available.names].sort(
    (a, b) => Number(offers.has(b)) - Number(offers.has(a)) || a.localeCompare(b),
  );
  const [first, second] = zones;
  if (first === undefined || second === undefined || !offers.has(first))
    throw new ZonesNotFoundError(region, instanceType, zones);
  return [first, second];
}

/** What programs ask of AWS without declaring anything. */
import { plain, type Wire, type WireMap } from '../protocol/values';
import type { Json, JsonMap } from './bridge';
import { type Asker, at, text } from './resource';

const FILTERS = (filters: Json | undefined): Json[] =>
  ((filters ?? []) as JsonMap[]).map(({ name, values }) => ({ Name: name, Values: values }));

/** Answers per function; `region` as given, or the provider's. */
export function awsFunctions(asker: Asker): Readonly<Record<string, (args: WireMap) => Promise<WireMap>>> {
  type Answer = (args: JsonMap, ask: ReturnType<Asker['ask']>) => Promise<JsonMap>;
  const answers: Readonly<Record<string, Answer>> = {
    'aws:index/getCallerIdentity:getCallerIdentity': async (_args, ask) => {
      const { Account, Arn, UserId } = await ask('sts', 'get_caller_identity', {});
      return { id: Account, accountId: Account, arn: Arn, userId: UserId };
    },
    'aws:index/getAvailabilityZones:getAvailabilityZones': async ({ state, filters, region }, ask) => {
      const told = await ask('ec2', 'describe_availability_zones', {
        Filters: [...FILTERS(filters), ...(state === undefined ? [] : [{ Name: 'state', Values: [state] }])],
      });
      const zones = (told['AvailabilityZones'] ?? []) as JsonMap[];
      return {
        id: region ?? asker.region(),
        names: zones.map(({ ZoneName }) => text(ZoneName)),
        zoneIds: zones.map(({ ZoneId }) => text(ZoneId)),
      };
    },
    'aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings': async (
      { locationType, filters, region },
      ask,
    ) => {
      const told = await ask('ec2', 'describe_instance_type_offerings', {
        LocationType: locationType ?? 'region',
        Filters: FILTERS(filters),
      });
      const found = (told['InstanceTypeOfferings'] ?? []) as JsonMap[];
      return {
        id: region ?? asker.region(),
        instanceTypes: found.map(({ InstanceType }) => text(InstanceType)),
        locations: found.map(({ Location }) => text(Location)),
        locationTypes: found.map(({ LocationType }) => text(LocationType)),
      };
    },
    'aws:ec2/getElasticIp:getElasticIp': async ({ publicIp }, ask) => {
      const told = await ask('ec2', 'describe_addresses', { PublicIps: [publicIp ?? ''] });
      const id = at(told, 'Addresses', 0, 'AllocationId');
      return { id, publicIp, domain: 'vpc' };
    },
  };
  return Object.fromEntries(
    Object.entries(answers).map(([token, answer]) => [
      token,
      async (args: WireMap) => {
        const asked = plain(args as Wire) as JsonMap;
        const region = typeof asked['region'] === 'string' ? asked['region'] : asker.region();
        return { region, ...(await answer(asked, asker.ask(region))) } as WireMap;
      },
    ]),
  );
}

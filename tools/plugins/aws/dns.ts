/** Route 53, and the alarms on its health checks. */
import { randomUUID } from 'node:crypto';
import type { Json, JsonMap } from './bridge';
import {
  type AwsType,
  at,
  type Context,
  FLAG,
  NUMBER,
  REQUIRED,
  STRING,
  TAGS,
  tagList,
  text,
} from './resource';

const shortId = (path: Json | undefined): string => text(path).split('/').at(-1) ?? '';

const zone: AwsType = {
  fields: { name: REQUIRED, comment: STRING, forceDestroy: FLAG },
  replaceOn: ['name'],
  outputs: ['arn', 'zoneId', 'nameServers'],
  async create(inputs, { ask }) {
    const made = await ask('route53', 'create_hosted_zone', {
      Name: inputs['name'],
      CallerReference: randomUUID(),
      HostedZoneConfig: { Comment: inputs['comment'] ?? '', PrivateZone: false },
    });
    const id = shortId(at(made, 'HostedZone', 'Id'));
    return { id, ...zoneOutputs(id, made) };
  },
  async update(inputs, state, { ask }) {
    await ask('route53', 'update_hosted_zone_comment', { Id: state['id'], Comment: inputs['comment'] ?? '' });
    return {};
  },
  async read(id, _state, { ask }) {
    const told = await ask('route53', 'get_hosted_zone', { Id: id });
    return {
      name: text(at(told, 'HostedZone', 'Name')).replace(/\.$/, ''),
      comment: at(told, 'HostedZone', 'Config', 'Comment') ?? '',
      ...zoneOutputs(id, told),
    };
  },
  delete: (state, { ask }) => ask('route53', 'delete_hosted_zone', { Id: state['id'] }),
};

const zoneOutputs = (id: string, told: JsonMap): JsonMap => ({
  zoneId: id,
  arn: `arn:aws:route53:::hostedzone/${id}`,
  nameServers: at(told, 'DelegationSet', 'NameServers'),
});

const CHECK: AwsType['fields'] = {
  type: REQUIRED,
  fqdn: STRING,
  port: NUMBER,
  resourcePath: STRING,
  searchString: STRING,
  enableSni: FLAG,
  requestInterval: NUMBER,
  failureThreshold: NUMBER,
  regions: { type: { listOf: 'string' } },
  disabled: FLAG,
  invertHealthcheck: FLAG,
  tags: TAGS,
};

const checkConfig = (inputs: JsonMap): JsonMap => ({
  FullyQualifiedDomainName: inputs['fqdn'],
  Port: inputs['port'],
  ResourcePath: inputs['resourcePath'],
  SearchString: inputs['searchString'],
  EnableSNI: inputs['enableSni'],
  FailureThreshold: inputs['failureThreshold'],
  Regions: inputs['regions'],
  Disabled: inputs['disabled'],
  Inverted: inputs['invertHealthcheck'],
});

const healthCheck: AwsType = {
  fields: CHECK,
  replaceOn: ['type', 'requestInterval'],
  outputs: ['arn'],
  async create(inputs, { ask }) {
    const made = await ask('route53', 'create_health_check', {
      CallerReference: randomUUID(),
      HealthCheckConfig: {
        Type: inputs['type'],
        RequestInterval: inputs['requestInterval'],
        ...checkConfig(inputs),
      },
    });
    const id = text(at(made, 'HealthCheck', 'Id'));
    if (inputs['tags'] !== undefined)
      await ask('route53', 'change_tags_for_resource', {
        ResourceType: 'healthcheck',
        ResourceId: id,
        AddTags: tagList(inputs['tags']),
      });
    return { id, arn: `arn:aws:route53:::healthcheck/${id}` };
  },
  async update(inputs, state, { ask }) {
    await ask('route53', 'update_health_check', { HealthCheckId: state['id'], ...checkConfig(inputs) });
    return {};
  },
  async read(id, _state, { ask }) {
    const told = at(
      await ask('route53', 'get_health_check', { HealthCheckId: id }),
      'HealthCheck',
      'HealthCheckConfig',
    );
    return { fqdn: at(told, 'FullyQualifiedDomainName'), disabled: at(told, 'Disabled') === true };
  },
  delete: (state, { ask }) => ask('route53', 'delete_health_check', { HealthCheckId: state['id'] }),
};

const record: AwsType = {
  fields: {
    zoneId: REQUIRED,
    name: REQUIRED,
    type: REQUIRED,
    ttl: NUMBER,
    records: { type: { listOf: 'string' } },
    setIdentifier: STRING,
    failoverRoutingPolicies: { type: { listOf: { fields: { type: REQUIRED } } } },
    healthCheckId: STRING,
  },
  replaceOn: ['zoneId', 'name', 'type', 'setIdentifier'],
  outputs: ['fqdn'],
  async create(inputs, context) {
    await change('CREATE', inputs, context);
    const parts = [inputs['zoneId'], inputs['name'], inputs['type'], inputs['setIdentifier']];
    return { id: parts.filter((part) => part !== undefined).join('_'), fqdn: inputs['name'] };
  },
  async update(inputs, _state, context) {
    await change('UPSERT', inputs, context);
    return {};
  },
  async read(_id, state, { ask }) {
    const told = await ask('route53', 'list_resource_record_sets', { HostedZoneId: state['zoneId'] });
    const sets = (told['ResourceRecordSets'] ?? []) as JsonMap[];
    const own = sets.find(
      (set) =>
        text(set['Name']).replace(/\.$/, '') === state['name'] &&
        set['Type'] === state['type'] &&
        (set['SetIdentifier'] ?? undefined) === state['setIdentifier'],
    );
    if (own === undefined) return undefined;
    return {
      ttl: own['TTL'],
      records: ((own['ResourceRecords'] ?? []) as JsonMap[]).map(({ Value }) => Value as Json),
      ...(own['HealthCheckId'] === undefined ? {} : { healthCheckId: own['HealthCheckId'] }),
    };
  },
  delete: (state, context) => change('DELETE', state, context),
};

function change(Action: string, inputs: JsonMap, { ask }: Context): Promise<JsonMap> {
  const failover = at(inputs, 'failoverRoutingPolicies', 0, 'type');
  return ask('route53', 'change_resource_record_sets', {
    HostedZoneId: inputs['zoneId'],
    ChangeBatch: {
      Changes: [
        {
          Action,
          ResourceRecordSet: {
            Name: inputs['name'],
            Type: inputs['type'],
            TTL: inputs['ttl'],
            ResourceRecords: ((inputs['records'] ?? []) as Json[]).map((Value) => ({ Value })),
            SetIdentifier: inputs['setIdentifier'],
            ...(failover === null ? {} : { Failover: failover }),
            HealthCheckId: inputs['healthCheckId'],
          },
        },
      ],
    },
  });
}

export const dnsTypes: Readonly<Record<string, AwsType>> = {
  'aws:route53/zone:Zone': zone,
  'aws:route53/healthCheck:HealthCheck': healthCheck,
  'aws:route53/record:Record': record,
};

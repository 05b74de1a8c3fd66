/** The types that the program uses, with the inputs that it gives: any other is refused. */
import { type CloudflareType, FLAG, NUMBER, objectType, REQUIRED, STRING, STRINGS } from './resource';
import { bucket } from './bucket';

const record = objectType({
  owner: 'zoneId',
  collection: 'dns_records',
  fields: {
    name: REQUIRED,
    type: { ...REQUIRED, type: { oneOf: ['A'] } },
    content: REQUIRED,
    ttl: { type: 'number', required: true },
    proxied: FLAG,
    comment: STRING,
  },
  replaceOn: ['type'],
  outputs: ['createdOn', 'modifiedOn', 'proxiable'],
});

const monitor = objectType({
  owner: 'accountId',
  collection: 'load_balancers/monitors',
  fields: {
    description: STRING,
    type: STRING,
    method: STRING,
    path: STRING,
    header: { type: { mapOf: { listOf: 'string' } } },
    expectedCodes: STRING,
    expectedBody: STRING,
    interval: NUMBER,
    timeout: NUMBER,
    retries: NUMBER,
    consecutiveDown: NUMBER,
    consecutiveUp: NUMBER,
    followRedirects: FLAG,
    allowInsecure: FLAG,
  },
  outputs: ['createdOn', 'modifiedOn'],
});

const pool = objectType({
  owner: 'accountId',
  collection: 'load_balancers/pools',
  fields: {
    name: REQUIRED,
    description: STRING,
    monitor: STRING,
    checkRegions: STRINGS,
    minimumOrigins: NUMBER,
    enabled: FLAG,
    origins: {
      type: { listOf: { fields: { name: STRING, address: STRING, enabled: FLAG, weight: NUMBER } } },
      required: true,
    },
  },
  outputs: ['createdOn', 'modifiedOn'],
});

const balancer = objectType({
  owner: 'zoneId',
  collection: 'load_balancers',
  fields: {
    name: REQUIRED,
    description: STRING,
    defaultPools: { type: { listOf: 'string' }, required: true },
    fallbackPool: REQUIRED,
    steeringPolicy: STRING,
    sessionAffinity: STRING,
    proxied: FLAG,
    ttl: NUMBER,
    enabled: FLAG,
  },
  outputs: ['createdOn', 'modifiedOn', 'zoneName'],
});

const MECHANISM = { type: { listOf: { fields: { id: REQUIRED } } } } as const;

const policy = objectType({
  owner: 'accountId',
  collection: 'alerting/v3/policies',
  fields: {
    name: REQUIRED,
    description: STRING,
    alertType: REQUIRED,
    enabled: { type: 'boolean', default: true },
    mechanisms: {
      type: { fields: { emails: MECHANISM, webhooks: MECHANISM, pagerduties: MECHANISM } },
      required: true,
    },
    filters: {
      type: { fields: { poolIds: STRINGS, newHealths: STRINGS, eventSources: STRINGS, enableds: STRINGS } },
    },
  },
  outputs: ['created', 'modified'],
  // The SDK says these in the plural, the API does not.
  nested: {
    mechanisms: { emails: 'email', pagerduties: 'pagerduty' },
    filters: {
      poolIds: 'pool_id',
      newHealths: 'new_health',
      eventSources: 'event_source',
      enableds: 'enabled',
    },
  },
});

const webhook = objectType({
  owner: 'accountId',
  collection: 'alerting/v3/destinations/webhooks',
  fields: { name: REQUIRED, url: REQUIRED, secret: { type: 'string', secret: true } },
  outputs: ['createdAt', 'type'],
});

export const TYPES: Readonly<Record<string, CloudflareType>> = {
  'cloudflare:index/dnsRecord:DnsRecord': record,
  'cloudflare:index/loadBalancerMonitor:LoadBalancerMonitor': monitor,
  'cloudflare:index/loadBalancerPool:LoadBalancerPool': pool,
  'cloudflare:index/loadBalancer:LoadBalancer': balancer,
  'cloudflare:index/notificationPolicy:NotificationPolicy': policy,
  'cloudflare:index/notificationPolicyWebhooks:NotificationPolicyWebhooks': webhook,
  'cloudflare:index/r2Bucket:R2Bucket': bucket,
};

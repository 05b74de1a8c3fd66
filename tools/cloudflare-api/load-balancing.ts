/**
 * Monitors, pools and load balancers.
 *
 * Shapes, defaults and allowed values: `load_balancers` of Cloudflare's published OpenAPI description, as the generated
 * terraform-provider-cloudflare has them (`internal/services/load_balancer{,_pool,_monitor}/{model,schema}.go`).
 * Refusals, with status, code and words, from that provider's issues: 1002 "interval is not in range [60, 3600]" (133),
 * the same with [0, 0] and "the origin list length must be in range [1, 0]" where load balancing was not bought (871;
 * hashicorp/terraform 17948), 1003 "value not unique" (6275), 412 with 1005 (66). How many regions may check is bought as
 * well: one, up to eight, or with Enterprise any (cloudflare-docs 31421); the words of that refusal are the emulator's,
 * as are those of 1001.
 */
import { z } from 'zod';
import { checked, newId, Refusal, Shelf } from './refusal';
import { param, type ApiRequest, type Route } from './route';
import type { Zones } from './records';

/** What was bought. */
export interface LoadBalancingSubscription {
  /** Seconds; [0, 0] where nothing was. */
  readonly interval: readonly [number, number];
  readonly maxOrigins: number;
  readonly maxRegions: number;
}

const INVALID = 1002;
const ID = z.string().regex(/^[0-9a-f]{32}$/, 'is not an identifier');
const REGIONS = [
  ...['WNAM', 'ENAM', 'WEU', 'EEU', 'NSAM', 'SSAM', 'OC', 'ME', 'NAF', 'SAF', 'SAS', 'SEAS', 'NEAS'],
  'ALL_REGIONS',
] as const;

const MonitorBody = z.strictObject({
  type: z.enum(['http', 'https', 'tcp', 'udp_icmp', 'icmp_ping', 'smtp']).default('http'),
  description: z.string().default(''),
  method: z.string().default('GET'),
  path: z.string().startsWith('/').default('/'),
  header: z.record(z.string(), z.array(z.string())).default({}),
  port: z.number().int().min(0).max(65_535).default(0),
  timeout: z.number().int().min(1).max(10).default(5),
  retries: z.number().int().min(0).max(5).default(2),
  interval: z.number().int().default(60),
  consecutive_up: z.number().int().min(0).max(10).default(0),
  consecutive_down: z.number().int().min(0).max(10).default(0),
  expected_body: z.string().default(''),
  expected_codes: z.string().default(''),
  follow_redirects: z.boolean().default(false),
  allow_insecure: z.boolean().default(false),
  probe_zone: z.string().default(''),
});

const OriginBody = z.strictObject({
  name: z.string().min(1),
  address: z.string().min(1),
  enabled: z.boolean().default(true),
  weight: z.number().min(0).max(1).default(1),
  port: z.number().int().default(0),
  flatten_cname: z.boolean().default(true),
  header: z.strictObject({ Host: z.array(z.string()) }).optional(),
});

const PoolBody = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]+$/, 'only alphanumeric characters, hyphens, and underscores'),
  description: z.string().default(''),
  origins: z.array(OriginBody),
  monitor: ID.nullish(),
  check_regions: z.array(z.enum(REGIONS)).nullish(),
  minimum_origins: z.number().int().min(0).default(1),
  enabled: z.boolean().default(true),
  notification_email: z.string().default(''),
});

const BalancerBody = z.strictObject({
  name: z.string().min(1).max(255),
  description: z.string().default(''),
  default_pools: z.array(ID).min(1),
  fallback_pool: ID,
  proxied: z.boolean().default(false),
  ttl: z.number().int().min(1).optional(),
  steering_policy: z
    .enum([
      ...['off', 'geo', 'random', 'dynamic_latency', 'proximity', ''],
      ...['least_outstanding_requests', 'least_connections'],
    ] as const)
    .default(''),
  session_affinity: z.enum(['none', 'cookie', 'ip_cookie', 'header']).default('none'),
  enabled: z.boolean().default(true),
});

type Made<T> = T & { readonly id: string; readonly created_on: string; readonly modified_on: string };
export type Monitor = Made<z.output<typeof MonitorBody>>;
export type Pool = Made<z.output<typeof PoolBody>>;
export type Balancer = Made<z.output<typeof BalancerBody>> & { readonly zone_name: string };

const missing = (): Refusal => new Refusal(404, 1001, 'resource not found');

export class LoadBalancing {
  readonly monitors = new Shelf<Monitor>(missing);
  readonly pools = new Shelf<Pool>(missing);
  readonly balancers = new Shelf<Balancer>(missing);

  constructor(
    private readonly bought: LoadBalancingSubscription,
    private readonly zones: Zones,
  ) {}

  routes(): readonly Route[] {
    const monitors = '/accounts/:account/load_balancers/monitors';
    const pools = '/accounts/:account/load_balancers/pools';
    const balancers = '/zones/:zone/load_balancers';
    return [
      ...objectRoutes(monitors, this.monitors, (asked, before) => this.monitor(asked.body, before), {
        inUse: (id) => this.pools.all().some(({ monitor }) => monitor === id),
      }),
      ...objectRoutes(pools, this.pools, (asked, before) => this.pool(asked.body, before), {
        inUse: (id) =>
          this.balancers
            .all()
            .some(({ default_pools, fallback_pool }) => [...default_pools, fallback_pool].includes(id)),
      }),
      ...objectRoutes(balancers, this.balancers, (asked, before) => this.balancer(asked, before), {
        inUse: () => false,
        within: (asked) => {
          const { name } = this.zones.zone(param(asked, 'zone'));
          return ({ zone_name }) => zone_name === name;
        },
      }),
    ];
  }

  private monitor(body: unknown, before: Monitor | undefined): Monitor {
    const given = checked(MonitorBody, body, INVALID);
    const [least, most] = this.bought.interval;
    if (given.interval < least || given.interval > most)
      throw new Refusal(400, INVALID, `interval is not in range [${least}, ${most}]: validation failed`);
    if (given.timeout >= given.interval)
      throw new Refusal(400, INVALID, 'timeout must be less than interval: validation failed');
    return made(given, before);
  }

  private pool(body: unknown, before: Pool | undefined): Pool {
    const given = checked(PoolBody, body, INVALID);
    const { maxOrigins, maxRegions } = this.bought;
    const { origins, check_regions: regions } = given;
    if (origins.length < 1 || origins.length > maxOrigins)
      throw new Refusal(
        400,
        INVALID,
        `the origin list length must be in range [1, ${maxOrigins}]: validation failed`,
      );
    if (new Set(origins.map(({ address, port }) => `${address} ${port}`)).size !== origins.length)
      throw new Refusal(400, INVALID, 'origin addresses must be unique: validation failed');
    if (regions == null || regions.length === 0)
      throw new Refusal(
        400,
        INVALID,
        'Probing from every data centre is not allowed with this subscription. Please choose regions to probe from.: validation failed',
      );
    if (regions.length > maxRegions)
      throw new Refusal(400, INVALID, `at most ${maxRegions} regions may probe: validation failed`);
    if (given.monitor != null && !this.monitors.has(given.monitor))
      throw new Refusal(400, INVALID, `monitor ${given.monitor} does not exist: validation failed`);
    this.unique(this.pools.all(), given.name, before);
    return made(given, before);
  }

  private balancer(asked: ApiRequest, before: Balancer | undefined): Balancer {
    const zone = this.zones.zone(param(asked, 'zone'));
    const given = checked(BalancerBody, asked.body, INVALID);
    if (given.name !== zone.name && !given.name.endsWith(`.${zone.name}`))
      throw new Refusal(400, INVALID, `${given.name} is not in zone ${zone.name}: validation failed`);
    for (const pool of [...given.default_pools, given.fallback_pool])
      if (!this.pools.has(pool))
        throw new Refusal(400, INVALID, `pool ${pool} does not exist: validation failed`);
    this.unique(this.balancers.all(), given.name, before);
    return { ...made(given, before), zone_name: zone.name };
  }

  private unique(
    all: readonly { readonly id: string; readonly name: string }[],
    name: string,
    before: { readonly id: string } | undefined,
  ): void {
    if (all.some((each) => each.name === name && each.id !== before?.id))
      throw new Refusal(400, 1003, 'value not unique');
  }
}

function made<T extends object>(
  given: T,
  before: { readonly id: string; readonly created_on: string } | undefined,
): Made<T> {
  const now = new Date().toISOString();
  return { ...given, id: before?.id ?? newId(), created_on: before?.created_on ?? now, modified_on: now };
}

interface Bounds<T> {
  /** Whether another object refers to it, which keeps it from being deleted. */
  readonly inUse: (id: string) => boolean;
  readonly within?: (asked: ApiRequest) => (item: T) => boolean;
}

function objectRoutes<T extends { readonly id: string }>(
  path: string,
  shelf: Shelf<T>,
  keep: (asked: ApiRequest, before: T | undefined) => T,
  { inUse, within = () => () => true }: Bounds<T>,
): readonly Route[] {
  const found = (asked: ApiRequest): T => {
    const item = shelf.find(param(asked, 'id'));
    if (!within(asked)(item)) throw missing();
    return item;
  };
  const one = `${path}/:id`;
  return [
    { method: 'GET', path, answer: (asked) => shelf.all().filter(within(asked)) },
    { method: 'POST', path, answer: (asked) => shelf.put(keep(asked, undefined)) },
    { method: 'GET', path: one, answer: found },
    { method: 'PUT', path: one, answer: (asked) => shelf.put(keep(asked, found(asked))) },
    {
      method: 'DELETE',
      path: one,
      answer: (asked) => {
        const { id } = found(asked);
        if (inUse(id))
          throw new Refusal(412, 1005, 'This object is referenced by other objects, delete them first.');
        return { id: shelf.take(id).id };
      },
    },
  ];
}
